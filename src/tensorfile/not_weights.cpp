#include "tensorfile/not_weights.h"

#include "ddpm/core/error.h"

namespace ddpm::tensorfile {

void refuse_failed_download(std::string_view head, const std::string& source) {
    if (head.substr(0, 8) == "version ")
        user_error(source + ": a pointer of Git LFS, not the file of weights itself",
                   "`git lfs pull` in its repository fetches what it points to");
    const size_t text = head.find_first_not_of(" \t\r\n");
    if (text != head.npos && head[text] == '<' && text + 1 < head.size() &&
        std::string_view("!hH").find(head[text + 1]) != std::string_view::npos)
        user_error(source + ": a page of HTML, not a file of weights; the download went wrong",
                   "download the file itself; on Hugging Face its address holds /resolve/, not /blob/");
}

}  // namespace ddpm::tensorfile
