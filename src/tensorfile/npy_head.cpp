// The head of a .npy file (NumPy's NEP 1): magic, version, the length of a Python dictionary, and the dictionary.

#include "tensorfile/npy_head.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::tensorfile {

namespace {

constexpr uint64_t kMostBytes = 1 << 16;  // of a head
constexpr size_t kMostSides = 32;         // of a shape, as in NumPy

[[noreturn]] void bad_head(const std::string& source, const std::string& why) {
    user_error(fmt::format("{}: not an array of NumPy: {}", source, why));
}

uint64_t little_endian(std::string_view bytes) {
    uint64_t value = 0;
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

// Reads the few of Python's literals that a head is made of.
class Literals {
public:
    Literals(std::string_view text, const std::string& source) : text_(text), source_(source) {}

    // Whether `mark` comes next, which is then passed.
    bool takes(std::string_view mark) {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
        if (text_.substr(at_, mark.size()) != mark) return false;
        at_ += mark.size();
        return true;
    }
    void expect(std::string_view mark) {
        if (!takes(mark)) bad_head(source_, fmt::format("expected {} at character {} of its head", quote(mark), at_));
    }
    std::string text() {
        const char mark = takes("'") ? '\'' : '"';
        if (mark == '"') expect("\"");
        const size_t end = text_.find(mark, at_);
        if (end == text_.npos) bad_head(source_, "a text in its head has no end");
        std::string value(text_.substr(at_, end - at_));
        at_ = end + 1;
        return value;
    }
    int64_t integer() {
        takes("");
        int64_t value = 0;
        const size_t begin = at_;
        for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0; ++at_) {
            if (value > (std::numeric_limits<int64_t>::max() - 9) / 10) bad_head(source_, "a side of its shape is too large");
            value = value * 10 + (text_[at_] - '0');
        }
        if (at_ == begin) bad_head(source_, fmt::format("expected a number at character {} of its head", at_));
        takes("L");  // of Python 2
        return value;
    }
    std::vector<int64_t> tuple() {
        std::vector<int64_t> values;
        expect("(");
        while (!takes(")")) {
            values.push_back(integer());
            if (values.size() > kMostSides) bad_head(source_, "its shape has too many sides");
            if (!takes(",")) {
                expect(")");
                break;
            }
        }
        return values;
    }
    // Passes a list, which names the fields of a structured array.
    void pass_list() {
        const size_t end = text_.rfind(']');
        if (end == text_.npos || end < at_) bad_head(source_, "a list in its head has no end");
        at_ = end + 1;
    }

private:
    std::string_view text_;
    const std::string& source_;
    size_t at_ = 0;
};

// The bytes of an element: "<f8" has 8, and a character of "<U5" has 4.
uint64_t item_size(const std::string& descr, const std::string& source) {
    if (descr.size() < 2 || std::string("<>|=").find(descr[0]) == std::string::npos)
        bad_head(source, fmt::format("its dtype is {}", quote(descr)));
    if (descr[1] == 'O') return 0;
    const std::string digits = descr.substr(2, descr.find('[') - std::min<size_t>(2, descr.find('[')));
    if (digits.empty() || digits.size() > 9 ||
        !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
        bad_head(source, fmt::format("its dtype is {}", quote(descr)));
    return std::stoull(digits) * (descr[1] == 'U' ? 4 : 1);
}

}  // namespace

uint64_t npy_head_size(std::string_view prefix, const std::string& source) {
    if (prefix.size() < kNpyPrefix || prefix.substr(0, 6) != "\x93NUMPY") bad_head(source, "it does not begin like one");
    const bool first = prefix[6] == 1;
    if (!first && prefix[6] != 2 && prefix[6] != 3)
        bad_head(source, fmt::format("version {} of the format is not known", static_cast<int>(prefix[6])));
    const uint64_t size = first ? 10 + little_endian(prefix.substr(8, 2)) : 12 + little_endian(prefix.substr(8, 4));
    if (size > kMostBytes || size < kNpyPrefix) bad_head(source, fmt::format("its head is said to have {} bytes", size));
    return size;
}

NpzArray parse_npy_head(std::string_view head, const std::string& source) {
    Literals literals(head.substr(head[6] == 1 ? 10 : 12), source);
    NpzArray array;
    bool has_descr = false, has_order = false, has_shape = false;
    literals.expect("{");
    while (!literals.takes("}")) {
        const std::string key = literals.text();
        literals.expect(":");
        if (key == "descr") {
            has_descr = true;
            if (literals.takes("[")) {
                literals.pass_list();
                array.descr = "structured";
            } else {
                array.descr = literals.text();
                array.item = item_size(array.descr, source);
            }
        } else if (key == "fortran_order") {
            has_order = true;
            array.fortran_order = literals.takes("True");
            if (!array.fortran_order) literals.expect("False");
        } else if (key == "shape") {
            has_shape = true;
            array.shape = literals.tuple();
        } else {
            bad_head(source, fmt::format("unknown key {} in its head", quote(key)));
        }
        if (!literals.takes(",")) {
            literals.expect("}");
            break;
        }
    }
    if (!has_descr || !has_order || !has_shape) bad_head(source, "its head lacks descr, fortran_order or shape");
    return array;
}

}  // namespace ddpm::tensorfile
