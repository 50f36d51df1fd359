#include "eval/script_check.h"

#include <set>

#include <spdlog/fmt/fmt.h>
#include <torch/csrc/jit/passes/inliner.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::eval {

namespace {

// Each is in every version of LibTorch a function of its arguments alone. What ends in _ changes a tensor of the program in place.
const std::set<std::string>& allowed_operators() {
    static const std::set<std::string> names = {
        // the language itself
        "prim::Constant",
        "prim::GetAttr",
        "prim::If",
        "prim::Loop",
        "prim::ListConstruct",
        "prim::ListUnpack",
        "prim::TupleConstruct",
        "prim::TupleUnpack",
        "prim::TupleIndex",
        "prim::NumToTensor",
        "prim::RaiseException",
        "prim::Uninitialized",
        "prim::device",
        "prim::dtype",
        "prim::layout",
        "prim::max",
        "prim::min",
        "prim::unchecked_cast",
        "prim::is_cuda",
        "aten::__getitem__",
        "aten::__is__",
        "aten::__isnot__",
        "aten::__not__",
        "aten::__and__",
        "aten::__or__",
        "aten::__contains__",
        "aten::len",
        "aten::append",
        "aten::list",
        "aten::Bool",
        "aten::Int",
        "aten::Float",
        "aten::IntImplicit",
        "aten::FloatImplicit",
        "aten::ScalarImplicit",
        "aten::format",
        "aten::warn",
        "aten::_unwrap_optional",
        "aten::is_floating_point",
        // shapes and types
        "aten::size",
        "aten::dim",
        "aten::numel",
        "aten::to",
        "aten::type_as",
        "aten::float",
        "aten::detach",
        "aten::clone",
        "aten::contiguous",
        "aten::view",
        "aten::reshape",
        "aten::flatten",
        "aten::unflatten",
        "aten::permute",
        "aten::transpose",
        "aten::t",
        "aten::squeeze",
        "aten::unsqueeze",
        "aten::expand",
        "aten::expand_as",
        "aten::repeat",
        "aten::select",
        "aten::slice",
        "aten::narrow",
        "aten::index",
        "aten::index_select",
        "aten::gather",
        "aten::chunk",
        "aten::split",
        "aten::split_with_sizes",
        "aten::unbind",
        "aten::cat",
        "aten::stack",
        "aten::flip",
        "aten::roll",
        "aten::alias",
        "aten::lift_fresh",
        "aten::copy_",
        "aten::fill_",
        "aten::item",
        // new tensors
        "aten::zeros",
        "aten::ones",
        "aten::full",
        "aten::eye",
        "aten::arange",
        "aten::linspace",
        "aten::tensor",
        "aten::zeros_like",
        "aten::ones_like",
        "aten::full_like",
        // arithmetic
        "aten::add",
        "aten::add_",
        "aten::sub",
        "aten::sub_",
        "aten::rsub",
        "aten::mul",
        "aten::mul_",
        "aten::div",
        "aten::div_",
        "aten::floordiv",
        "aten::floor_divide",
        "aten::remainder",
        "aten::neg",
        "aten::abs",
        "aten::pow",
        "aten::square",
        "aten::sqrt",
        "aten::rsqrt",
        "aten::reciprocal",
        "aten::exp",
        "aten::log",
        "aten::log1p",
        "aten::sin",
        "aten::cos",
        "aten::erf",
        "aten::floor",
        "aten::ceil",
        "aten::round",
        "aten::clamp",
        "aten::clamp_",
        "aten::clamp_min",
        "aten::clamp_max",
        "aten::clip",
        "aten::maximum",
        "aten::minimum",
        "aten::eq",
        "aten::ne",
        "aten::lt",
        "aten::le",
        "aten::gt",
        "aten::ge",
        "aten::logical_and",
        "aten::logical_or",
        "aten::logical_not",
        "aten::where",
        "aten::masked_fill",
        "aten::sum",
        "aten::mean",
        "aten::max",
        "aten::min",
        "aten::amax",
        "aten::amin",
        "aten::argmax",
        "aten::var",
        "aten::std",
        "aten::norm",
        "aten::linalg_vector_norm",
        "aten::linalg_norm",
        "aten::cumsum",
        "aten::matmul",
        "aten::mm",
        "aten::bmm",
        "aten::addmm",
        "aten::baddbmm",
        "aten::einsum",
        // layers
        "aten::linear",
        "aten::conv1d",
        "aten::conv2d",
        "aten::conv_transpose2d",
        "aten::_convolution",
        "aten::convolution",
        "aten::batch_norm",
        "aten::layer_norm",
        "aten::group_norm",
        "aten::instance_norm",
        "aten::relu",
        "aten::relu_",
        "aten::relu6",
        "aten::relu6_",
        "aten::prelu",
        "aten::leaky_relu",
        "aten::leaky_relu_",
        "aten::elu",
        "aten::elu_",
        "aten::gelu",
        "aten::silu",
        "aten::silu_",
        "aten::mish",
        "aten::sigmoid",
        "aten::sigmoid_",
        "aten::tanh",
        "aten::softplus",
        "aten::hardtanh",
        "aten::hardtanh_",
        "aten::hardswish",
        "aten::hardswish_",
        "aten::hardsigmoid",
        "aten::hardsigmoid_",
        "aten::softmax",
        "aten::log_softmax",
        "aten::dropout",
        "aten::dropout_",
        "aten::feature_dropout",
        "aten::scaled_dot_product_attention",
        "aten::max_pool2d",
        "aten::avg_pool2d",
        "aten::adaptive_avg_pool2d",
        "aten::adaptive_max_pool2d",
        "aten::pixel_shuffle",
        "aten::pixel_unshuffle",
        // resizing and padding
        "aten::pad",
        "aten::constant_pad_nd",
        "aten::reflection_pad2d",
        "aten::replication_pad2d",
        "aten::__interpolate",
        "aten::upsample_nearest2d",
        "aten::upsample_bilinear2d",
        "aten::upsample_bicubic2d",
        "aten::_upsample_nearest_exact2d",
        "aten::_upsample_bilinear2d_aa",
        "aten::_upsample_bicubic2d_aa",
        "aten::_upsample_lanczos2d_aa",
        "aten::_upsample_nearest_exact1d",
        "aten::_upsample_nearest_exact3d",
        "aten::upsample_linear1d",
        "aten::upsample_nearest1d",
        "aten::upsample_nearest3d",
        "aten::upsample_trilinear3d",
        "aten::adaptive_avg_pool1d",
        "aten::adaptive_avg_pool3d",
        "aten::grid_sampler",
        "aten::affine_grid_generator",
    };
    return names;
}

[[noreturn]] void refuse_script(const std::string& source, const std::string& what) {
    user_error(fmt::format("{}: {}, which is not on the list of what features may use; refused", source, what),
               "docs/judging.md says how to export a network, and what is refused");
}

void check_block(const torch::jit::Block& block, const std::string& source) {
    for (const torch::jit::Node* node : block.nodes()) {
        const std::string name = node->kind().toQualString();
        if (!is_allowed_operator(name)) refuse_script(source, "uses the operator " + name);
        for (const torch::jit::Value* output : node->outputs())
            if (const auto type = output->type()->cast<c10::ClassType>(); type && !type->is_module())
                refuse_script(source, "uses an object of class " + quote(type->repr_str()));
        for (const torch::jit::Block* inner : node->blocks()) check_block(*inner, source);
    }
}

// Attributes are plain data, or modules, which are looked into.
void check_value(const c10::IValue& value, const std::string& name, const std::string& source) {
    if (value.isModule()) {
        const auto object = value.toObject();
        const auto& attributes = object->type()->getAttributes();
        for (size_t i = 0; i < attributes.size(); ++i) {
            const std::string& own = attributes[i].getName();
            check_value(object->getSlot(i), name.empty() ? own : name + "." + own, source);
        }
    } else if (value.isList()) {
        for (const c10::IValue& item : value.toListRef()) check_value(item, name, source);
    } else if (value.isTuple()) {
        for (const c10::IValue& item : value.toTupleRef().elements()) check_value(item, name, source);
    } else if (value.isGenericDict()) {
        for (const auto& item : value.toGenericDict()) {
            check_value(item.key(), name, source);
            check_value(item.value(), name, source);
        }
    } else if (!value.isTensor() && !value.isNone() && !value.isScalar() && !value.isString() && !value.isDevice()) {
        refuse_script(source, fmt::format("holds {}, an attribute of kind {}", quote(name), value.tagKind()));
    }
}

}  // namespace

bool is_allowed_operator(const std::string& name) { return allowed_operators().count(name) > 0; }

void check_script(const torch::jit::Module& module, const std::string& source) {
    check_value(module._ivalue(), "", source);
    const auto method = module.find_method("forward");
    if (!method) user_error(source + ": has no method forward, expected one that takes pictures and returns features");
    const std::shared_ptr<torch::jit::Graph> graph = method->graph()->copy();
    torch::jit::Inline(*graph);
    check_block(*graph->block(), source);
}

}  // namespace ddpm::eval
