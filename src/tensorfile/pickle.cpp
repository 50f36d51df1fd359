#include "ddpm/tensorfile/pickle.h"

#include <algorithm>
#include <map>
#include <set>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/tensorfile/safetensors_header.h"

namespace ddpm {

namespace {

constexpr size_t kMaxValues = 1 << 20;
constexpr size_t kMaxKeyBytes = 512;
constexpr size_t kMaxDepth = 16;
constexpr size_t kMaxDimensions = 64;

struct StorageType {
    const char* name;
    const char* dtype;
};
constexpr StorageType kStorageTypes[] = {
    {"torch.DoubleStorage", "F64"}, {"torch.FloatStorage", "F32"}, {"torch.HalfStorage", "F16"},  {"torch.BFloat16Storage", "BF16"},
    {"torch.LongStorage", "I64"},   {"torch.IntStorage", "I32"},   {"torch.ShortStorage", "I16"}, {"torch.CharStorage", "I8"},
    {"torch.ByteStorage", "U8"},    {"torch.BoolStorage", "BOOL"},
};
constexpr const char* kOrderedDict = "collections.OrderedDict";
constexpr const char* kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr const char* kRebuildParameter = "torch._utils._rebuild_parameter";

const char* dtype_of_storage(const std::string& name) {
    for (const StorageType& type : kStorageTypes)
        if (name == type.name) return type.dtype;
    return nullptr;
}

enum class Kind { none, boolean, integer, real, text, tuple, list, dict, global, storage, tensor };

// Values refer to each other by their place in one list, so that a shared or circular one costs nothing.
struct Value {
    Kind kind = Kind::none;
    int64_t number = 0;           // an integer's value; a tensor's or a storage's place
    std::string text;             // a text; a global's name
    std::vector<uint32_t> items;  // of a tuple or list; a dict's keys and values in turn
};

class Unpickler {
public:
    Unpickler(std::string_view bytes, const std::string& source) : bytes_(bytes), source_(source) {}

    std::vector<PickledTensor> run() {
        const uint32_t value = next_value();
        if (at_ != bytes_.size()) refuse("has bytes after its end");
        flatten(value, "", 0);
        return std::move(found_);
    }

    OldTorchPickles run_old() {
        old_ = true;
        check_machine(values_[next_value()]);
        flatten(next_value(), "", 0);
        std::vector<PickledStorage> storages = listed_storages(values_[next_value()]);
        return {std::move(found_), std::move(storages), at_};
    }

private:
    // Reads one pickle and returns its value.
    uint32_t next_value() {
        while (step()) {
        }
        const uint32_t value = pop();
        stack_.clear();
        marks_.clear();
        memo_.clear();
        return value;
    }

    void check_machine(const Value& machine) const {
        if (machine.kind == Kind::dict)
            for (size_t i = 0; i + 1 < machine.items.size(); i += 2)
                if (item(machine, i).text == "little_endian" && item(machine, i + 1).kind == Kind::boolean &&
                    item(machine, i + 1).number == 1)
                    return;
        refuse("says that its numbers are not those of a little-endian machine");
    }

    // Returns the storages that `keys` lists, in its order.
    std::vector<PickledStorage> listed_storages(const Value& keys) const {
        std::map<std::string, const PickledStorage*> known;
        for (const PickledStorage& storage : storages_) {
            const PickledStorage& first = *known.emplace(storage.key, &storage).first->second;
            if (first.dtype != storage.dtype || first.size != storage.size)
                refuse(fmt::format("describes the storage {} in two ways", storage.key));
        }
        if (keys.kind != Kind::list) refuse("does not list its storages");
        std::vector<PickledStorage> listed;
        for (size_t i = 0; i < keys.items.size(); ++i) {
            const auto storage = known.find(item(keys, i).text);
            if (storage == known.end()) refuse(fmt::format("lists a storage {} twice or of no tensor", quote(item(keys, i).text)));
            listed.push_back(*storage->second);
            known.erase(storage);
        }
        if (!known.empty()) refuse(fmt::format("does not list the storage {}", known.begin()->first));
        return listed;
    }

    [[noreturn]] void refuse(const std::string& what) const { user_error(fmt::format("{}: its pickle {}", source_, what)); }
    [[noreturn]] void refuse_global(const std::string& name) const {
        user_error(
            fmt::format("{}: its pickle asks for {}; only tensors in dictionaries are read, no code is run", source_, quote(name)),
            "save the weights alone: torch.save(model.state_dict(), FILE)");
    }

    std::string_view take(uint64_t count) {
        if (count > bytes_.size() - at_) refuse("is cut off");
        at_ += count;
        return bytes_.substr(at_ - count, count);
    }
    uint64_t take_number(unsigned width) {
        uint64_t value = 0;
        const std::string_view bytes = take(width);
        for (unsigned i = 0; i < width; ++i) value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
        return value;
    }
    std::string take_line() {
        const size_t end = bytes_.find('\n', at_);
        if (end == std::string_view::npos) refuse("is cut off");
        const std::string_view line = take(end - at_);
        take(1);
        return std::string(line);
    }

    uint32_t pop() {
        if (stack_.empty() || (!marks_.empty() && stack_.size() == marks_.back())) refuse("takes what is not there");
        const uint32_t value = stack_.back();
        stack_.pop_back();
        return value;
    }
    void push(Value value) {
        if (values_.size() == kMaxValues) refuse(fmt::format("holds more than {} values", kMaxValues));
        values_.push_back(std::move(value));
        stack_.push_back(static_cast<uint32_t>(values_.size() - 1));
    }
    void push_integer(int64_t number) { push({Kind::integer, number, {}, {}}); }
    void push_tuple(size_t count) {
        std::vector<uint32_t> items(count);
        for (size_t i = count; i-- > 0;) items[i] = pop();
        push({Kind::tuple, 0, {}, std::move(items)});
    }
    // Takes the values off the stack that were pushed since the last mark.
    std::vector<uint32_t> pop_to_mark() {
        if (marks_.empty()) refuse("takes what is not there");
        std::vector<uint32_t> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
        stack_.resize(marks_.back());
        marks_.pop_back();
        return items;
    }
    void remember(uint64_t slot) {
        const uint32_t value = pop();
        stack_.push_back(value);
        memo_[slot] = value;
    }
    void recall(uint64_t slot) {
        const auto value = memo_.find(slot);
        if (value == memo_.end()) refuse("takes what is not there");
        stack_.push_back(value->second);
    }
    // Returns the value on top of the stack, which must be of this kind, and leaves it there.
    Value& target(Kind kind) {
        const uint32_t value = pop();
        stack_.push_back(value);
        if (values_[value].kind != kind) refuse("fills what is no dictionary or list");
        return values_[value];
    }

    // Runs one opcode and returns whether more follow. The letters are those of Python's pickletools.
    bool step() {
        const auto opcode = static_cast<unsigned char>(take(1)[0]);
        switch (opcode) {
            case 0x80:  // PROTO
                if (const uint64_t protocol = take_number(1); protocol != 2)
                    refuse(fmt::format("has protocol {}, expected 2, torch.save's own", protocol));
                break;
            case '.':
                return false;  // STOP
            case '(':
                marks_.push_back(stack_.size());
                break;
            case ')':
                push_tuple(0);
                break;
            case 0x85:
                push_tuple(1);
                break;
            case 0x86:
                push_tuple(2);
                break;
            case 0x87:
                push_tuple(3);
                break;
            case 't': {
                std::vector<uint32_t> items = pop_to_mark();
                push({Kind::tuple, 0, {}, std::move(items)});
                break;
            }
            case ']':
                push({Kind::list, 0, {}, {}});
                break;
            case '}':
                push({Kind::dict, 0, {}, {}});
                break;
            case 'a': {
                const uint32_t item = pop();
                target(Kind::list).items.push_back(item);
                break;
            }
            case 'e':
                append(Kind::list, pop_to_mark());
                break;
            case 's': {
                const uint32_t value = pop(), key = pop();
                append(Kind::dict, {key, value});
                break;
            }
            case 'u':
                append(Kind::dict, pop_to_mark());
                break;
            case 'N':
                push({});
                break;
            case 0x88:
                push({Kind::boolean, 1, {}, {}});
                break;
            case 0x89:
                push({Kind::boolean, 0, {}, {}});
                break;
            case 'K':
                push_integer(static_cast<int64_t>(take_number(1)));
                break;
            case 'M':
                push_integer(static_cast<int64_t>(take_number(2)));
                break;
            case 'J':
                push_integer(static_cast<int32_t>(take_number(4)));
                break;
            case 0x8a:
                push_integer(take_long());
                break;
            case 'G':
                take(8);
                push({Kind::real, 0, {}, {}});
                break;
            case 'X':
                push({Kind::text, 0, std::string(take(take_number(4))), {}});
                break;
            case 'q':
                remember(take_number(1));
                break;
            case 'r':
                remember(take_number(4));
                break;
            case 'h':
                recall(take_number(1));
                break;
            case 'j':
                recall(take_number(4));
                break;
            case 'c':
                push_global();
                break;
            case 'Q':
                push_storage();
                break;
            case 'R':
                call();
                break;
            case 'b':
                build();
                break;
            default:
                refuse(fmt::format("holds the opcode 0x{:02x} at byte {}, which torch.save does not write", opcode, at_ - 1));
        }
        return true;
    }

    void append(Kind kind, const std::vector<uint32_t>& items) {
        Value& container = target(kind);
        if (kind == Kind::dict && items.size() % 2 != 0) refuse("has a key without a value");
        container.items.insert(container.items.end(), items.begin(), items.end());
    }

    // Reads an integer of up to 8 bytes in two's complement.
    int64_t take_long() {
        const uint64_t width = take_number(1);
        if (width > 8) refuse(fmt::format("holds an integer of {} bytes", width));
        if (width == 0) return 0;
        const unsigned unused = 64 - 8 * static_cast<unsigned>(width);
        return static_cast<int64_t>(take_number(static_cast<unsigned>(width)) << unused) >> unused;
    }

    void push_global() {
        const std::string module = take_line();
        const std::string name = module + "." + take_line();
        if (name != kOrderedDict && name != kRebuildTensor && name != kRebuildParameter && dtype_of_storage(name) == nullptr)
            refuse_global(name);
        push({Kind::global, 0, name, {}});
    }

    // Takes the tuple ("storage", type, key, device, elements) off the stack, which has one part more in an old file: None, or of
    // which other storage this one is a view.
    void push_storage() {
        const Value& id = values_[pop()];
        if (id.kind != Kind::tuple || id.items.size() != (old_ ? 6 : 5)) refuse("refers to something that is no storage");
        if (old_ && item(id, 5).kind != Kind::none) refuse("refers to a storage that is a view of another, which is not read");
        const Value &tag = item(id, 0), &type = item(id, 1), &key = item(id, 2), &size = item(id, 4);
        if (tag.kind != Kind::text || tag.text != "storage" || type.kind != Kind::global || key.kind != Kind::text ||
            size.kind != Kind::integer || size.number < 0)
            refuse("refers to something that is no storage");
        const char* dtype = dtype_of_storage(type.text);
        if (dtype == nullptr) refuse("refers to something that is no storage");
        if (key.text.empty() || key.text.size() > (old_ ? 20 : 10) || key.text.find_first_not_of("0123456789") != std::string::npos)
            refuse(fmt::format("names a storage {}, expected a number", quote(key.text)));
        storages_.push_back({key.text, dtype, static_cast<uint64_t>(size.number)});
        push({Kind::storage, static_cast<int64_t>(storages_.size() - 1), {}, {}});
    }

    void call() {
        const Value arguments = values_[pop()];
        const Value callee = values_[pop()];
        if (callee.kind != Kind::global || arguments.kind != Kind::tuple) refuse("calls what is no function");
        if (callee.text == kOrderedDict && arguments.items.empty())
            push({Kind::dict, 0, {}, {}});
        else if (callee.text == kRebuildTensor)
            push_tensor(arguments);
        else if (callee.text == kRebuildParameter && arguments.items.size() == 3 && item(arguments, 0).kind == Kind::tensor)
            stack_.push_back(arguments.items[0]);
        else
            refuse(fmt::format("calls {} with arguments that are not torch.save's", callee.text));
    }

    // Drops the attributes of a state dict (_metadata: versions of modules), which say nothing about its tensors.
    void build() {
        const Kind state = values_[pop()].kind;
        if (state != Kind::dict) refuse("sets attributes by something that is no dictionary");
        target(Kind::dict);
    }

    // `arguments` are (storage, offset, shape, strides, requires_grad, hooks[, metadata]).
    void push_tensor(const Value& arguments) {
        if (arguments.items.size() < 6 || arguments.items.size() > 7 || item(arguments, 0).kind != Kind::storage ||
            item(arguments, 1).kind != Kind::integer || item(arguments, 1).number < 0)
            refuse(fmt::format("calls {} with arguments that are not torch.save's", kRebuildTensor));
        const PickledStorage& storage = storages_[static_cast<size_t>(item(arguments, 0).number)];
        PickledTensor tensor{{},
                             storage.dtype,
                             storage.key,
                             storage.size,
                             static_cast<uint64_t>(item(arguments, 1).number),
                             sizes(item(arguments, 2)),
                             sizes(item(arguments, 3))};
        check(tensor);
        tensors_.push_back(std::move(tensor));
        push({Kind::tensor, static_cast<int64_t>(tensors_.size() - 1), {}, {}});
    }

    std::vector<int64_t> sizes(const Value& tuple) const {
        std::vector<int64_t> numbers;
        if (tuple.kind != Kind::tuple || tuple.items.size() > kMaxDimensions) refuse("holds a tensor without a shape");
        for (size_t i = 0; i < tuple.items.size(); ++i) {
            if (item(tuple, i).kind != Kind::integer || item(tuple, i).number < 0) refuse("holds a tensor without a shape");
            numbers.push_back(item(tuple, i).number);
        }
        return numbers;
    }

    void check(const PickledTensor& tensor) const {
        const auto wrong = [&](const char* why) {
            refuse(fmt::format("holds a tensor of shape [{}], strides [{}] at {} of {} elements, which {}",
                               fmt::join(tensor.shape, ", "), fmt::join(tensor.strides, ", "), tensor.offset, tensor.storage_size,
                               why));
        };
        if (tensor.shape.size() != tensor.strides.size()) wrong("is no shape");
        uint64_t count = 1, last = tensor.offset, bytes = 0;
        for (size_t i = 0; i < tensor.shape.size(); ++i) {
            const auto length = static_cast<uint64_t>(tensor.shape[i]), stride = static_cast<uint64_t>(tensor.strides[i]);
            uint64_t step = 0;
            if (__builtin_mul_overflow(count, length, &count) ||
                (length > 0 && (__builtin_mul_overflow(length - 1, stride, &step) || __builtin_add_overflow(last, step, &last))))
                wrong("overflows");
        }
        if (__builtin_mul_overflow(tensor.storage_size, safetensors_dtype_size(tensor.dtype), &bytes)) wrong("overflows");
        if (count > 0 && last >= tensor.storage_size) wrong("reaches beyond them");
        if (count > tensor.storage_size) wrong("repeats elements");
    }

    const Value& item(const Value& container, size_t at) const { return values_[container.items[at]]; }

    // Collects the tensors below a value under their keys.
    void flatten(uint32_t index, const std::string& name, size_t depth) {
        if (++visited_ > kMaxValues) refuse(fmt::format("holds more than {} values", kMaxValues));
        if (depth > kMaxDepth) refuse(fmt::format("is nested deeper than {} levels", kMaxDepth));
        const Value& value = values_[index];
        const auto below = [&](const std::string& key) { return name.empty() ? key : name + "." + key; };
        if (value.kind == Kind::tensor) {
            if (name.empty()) refuse("holds a single tensor, expected a dictionary of them");
            if (!names_.insert(name).second) refuse(fmt::format("holds {} twice", quote(name)));
            found_.push_back(tensors_[static_cast<size_t>(value.number)]);
            found_.back().name = name;
        } else if (value.kind == Kind::dict) {
            for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
                const Value& key = item(value, i);
                if (key.kind != Kind::text && key.kind != Kind::integer) continue;
                if (key.text.size() > kMaxKeyBytes) refuse(fmt::format("holds a key of {} bytes", key.text.size()));
                flatten(value.items[i + 1], below(key.kind == Kind::text ? key.text : fmt::format("{}", key.number)), depth + 1);
            }
        } else if (value.kind == Kind::list || value.kind == Kind::tuple) {
            for (size_t i = 0; i < value.items.size(); ++i) flatten(value.items[i], below(fmt::format("{}", i)), depth + 1);
        }
    }

    std::string_view bytes_;
    const std::string& source_;
    size_t at_ = 0;
    bool old_ = false;  // whether the file is of torch before 1.6
    std::vector<Value> values_;
    std::vector<uint32_t> stack_;
    std::vector<size_t> marks_;  // sizes of the stack
    std::map<uint64_t, uint32_t> memo_;
    std::vector<PickledStorage> storages_;
    std::vector<PickledTensor> tensors_, found_;
    std::set<std::string> names_;
    size_t visited_ = 0;
};

}  // namespace

std::vector<PickledTensor> read_torch_pickle(std::string_view bytes, const std::string& source) {
    return Unpickler(bytes, source).run();
}

OldTorchPickles read_old_torch_pickles(std::string_view bytes, const std::string& source) {
    return Unpickler(bytes, source).run_old();
}

}  // namespace ddpm
