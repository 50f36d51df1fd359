#include "ddpm/pipeline/pictures.h"

#include <ATen/ATen.h>

#include "ddpm/image/pixels.h"

namespace ddpm {

std::vector<Image> to_images(const at::Tensor& batch) {
    std::vector<Image> images;
    for (int64_t i = 0; i < batch.size(0); ++i)
        images.push_back(from_signed_unit(batch[i].contiguous().const_data_ptr<float>(), static_cast<int>(batch.size(1)),
                                          static_cast<int>(batch.size(2)), static_cast<int>(batch.size(3))));
    return images;
}

}  // namespace ddpm
