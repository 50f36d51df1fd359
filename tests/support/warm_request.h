#pragma once

// What a test and ddpm_warm say to each other. A request is one packet: the time limit (unsigned, seconds), then the folder, settings
// of the environment ("NAME=value"), an empty word and the program's arguments from argv[0] on, each with a zero byte behind it. With it come three descriptors, for standard output, standard error and the answer.

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

#include <sys/resource.h>
#include <sys/socket.h>

namespace ddpm::test {

constexpr size_t kLongestRequest = 150000;  // bytes

struct WarmAnswer {
    int status = 0;  // of wait4()
    rusage usage{};
};

using Descriptors = std::array<int, 3>;  // standard output, standard error, answer

inline void send_request(int socket, const std::string& bytes, const Descriptors& descriptors) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptors)] = {};
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptors);
    std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof descriptors);
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
        throw std::runtime_error("ddpm_warm takes no request");
}

// Waits for a request. Returns false when the other end is closed.
inline bool receive_request(int socket, std::string& bytes, Descriptors& descriptors) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptors)] = {};
    bytes.resize(kLongestRequest);
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    const cmsghdr* header = count > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header == nullptr) return false;
    bytes.resize(static_cast<size_t>(count));
    std::memcpy(descriptors.data(), CMSG_DATA(header), sizeof descriptors);
    return true;
}

}  // namespace ddpm::test
