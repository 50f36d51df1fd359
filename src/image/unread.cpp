// Formats of pictures that people have in their folders and that this program does not read: they are named, so that
// nobody takes them for trained on.

#include "ddpm/image/unread.h"

#include <algorithm>

namespace ddpm {

namespace {

using namespace std::string_view_literals;

struct Mark {
    size_t at;
    std::string_view bytes;
    const char* format;
};

constexpr Mark kMarks[] = {
    {8, "WEBP"sv, "WebP"},
    {0, "II*\0"sv, "TIFF"},
    {0, "MM\0*"sv, "TIFF"},
    {0, "II+\0"sv, "TIFF"},
    {0, "MM\0+"sv, "TIFF"},
    {4, "ftypavif"sv, "AVIF"},
    {4, "ftypavis"sv, "AVIF"},
    {4, "ftyphei"sv, "HEIC"},
    {4, "ftyphev"sv, "HEIC"},
    {4, "ftypmif1"sv, "HEIC"},
    {4, "ftypmsf1"sv, "HEIC"},
    {4, "ftypcrx"sv, "camera raw"},
    {0, "\0\0\0\x0cJXL \r\n\x87\n"sv, "JPEG XL"},
    {0, "\xff\x0a"sv, "JPEG XL"},
    {0, "\0\0\0\x0cjP  \r\n\x87\n"sv, "JPEG 2000"},
    {0, "\xff\x4f\xff\x51"sv, "JPEG 2000"},
    {0, "II\xbc"sv, "JPEG XR"},
    {0, "8BPS"sv, "Photoshop"},
    {0, "gimp xcf"sv, "GIMP"},
    {0, "\x76\x2f\x31\x01"sv, "OpenEXR"},
    {0, "#?RADIANCE"sv, "Radiance HDR"},
    {0, "#?RGBE"sv, "Radiance HDR"},
    {0, "DDS "sv, "DDS"},
    {0, "qoif"sv, "QOI"},
    {0, "FLIF"sv, "FLIF"},
    {0, "\x8aMNG\r\n"sv, "MNG"},
    {0, "P7\n"sv, "PAM"},
    {0, "P4\n"sv, "PBM"},
    {0, "P1\n"sv, "PBM"},
    {0, "BPG\xfb"sv, "BPG"},
    {0, "FUJIFILM"sv, "camera raw"},
};

struct Ending {
    std::string_view ending;
    const char* format;
};

constexpr Ending kEndings[] = {
    {"webp", "WebP"},      {"tif", "TIFF"},       {"tiff", "TIFF"},      {"avif", "AVIF"},        {"avifs", "AVIF"},
    {"heic", "HEIC"},      {"heif", "HEIC"},      {"heics", "HEIC"},     {"hif", "HEIC"},         {"jxl", "JPEG XL"},
    {"jp2", "JPEG 2000"},  {"j2k", "JPEG 2000"},  {"jpf", "JPEG 2000"},  {"jpx", "JPEG 2000"},    {"j2c", "JPEG 2000"},
    {"jxr", "JPEG XR"},    {"wdp", "JPEG XR"},    {"hdp", "JPEG XR"},    {"psd", "Photoshop"},    {"psb", "Photoshop"},
    {"xcf", "GIMP"},       {"kra", "Krita"},      {"exr", "OpenEXR"},    {"hdr", "Radiance HDR"}, {"dds", "DDS"},
    {"qoi", "QOI"},        {"flif", "FLIF"},      {"mng", "MNG"},        {"pam", "PAM"},          {"pbm", "PBM"},
    {"pfm", "PFM"},        {"pcx", "PCX"},        {"ras", "Sun raster"}, {"sgi", "SGI"},          {"xbm", "XBM"},
    {"xpm", "XPM"},        {"ico", "icon"},       {"cur", "icon"},       {"icns", "icon"},        {"svg", "SVG"},
    {"svgz", "SVG"},       {"eps", "EPS"},        {"wmf", "WMF"},        {"emf", "WMF"},          {"bpg", "BPG"},
    {"dng", "camera raw"}, {"cr2", "camera raw"}, {"cr3", "camera raw"}, {"crw", "camera raw"},   {"nef", "camera raw"},
    {"nrw", "camera raw"}, {"arw", "camera raw"}, {"sr2", "camera raw"}, {"orf", "camera raw"},   {"rw2", "camera raw"},
    {"raf", "camera raw"}, {"pef", "camera raw"}, {"srw", "camera raw"}, {"dcm", "DICOM"},
};

}  // namespace

std::string unread_format(std::string_view head) {
    for (const Mark& mark : kMarks)
        if (head.size() >= mark.at && head.substr(mark.at, mark.bytes.size()) == mark.bytes &&
            (mark.at != 8 || head.substr(0, 4) == "RIFF"))
            return mark.format;
    return {};
}

std::string unread_format_of_name(const std::string& name) {
    std::string ending = name.substr(std::min(name.size(), name.rfind('.') + 1));
    if (ending.size() == name.size()) return {};  // no dot
    for (char& c : ending)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    for (const Ending& known : kEndings)
        if (known.ending == ending) return known.format;
    return {};
}

}  // namespace ddpm
