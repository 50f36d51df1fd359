#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

namespace ddpm {

class UNet2D;

// A network that computes in place of another: convolutions and linear maps hold their weights in `type`, everything else is
// the original's own memory. In bfloat16 that is mixed precision without a cast for every use; gradients are its own until
// they are added to the original's, in float32.
class WorkingCopy {
public:
    // `original`, which must outlive this, is where it is going to be used.
    WorkingCopy(UNet2D& original, c10::ScalarType type);

    // UNet2D::forward, x_t in any floating type.
    at::Tensor forward(const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y);
    at::Tensor forward(const at::Tensor& x_t, const std::vector<at::Tensor>& conditions);
    std::vector<at::Tensor> conditions(const at::Tensor& t, const at::Tensor& y = {});

    // UNet2D::set_dropout_seeds.
    void set_dropout_seeds(const at::Tensor& seeds);

    // Takes over the original's weights as they are now.
    void refresh();
    void clear_gradients();
    void add_gradients_to_original();

private:
    c10::ScalarType type_;
    std::shared_ptr<UNet2D> network_;
    std::vector<at::Tensor> theirs_, ours_;            // all parameters
    std::vector<at::Tensor> cast_theirs_, cast_ours_;  // those that are held in `type`
};

}  // namespace ddpm
