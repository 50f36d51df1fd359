#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ddpm/dataset/dataset.h"

namespace ddpm {

// The same examples with the labels that `names` give their classes: label i is that of names[i]. Nothing where that is not
// possible: a class that is not in `names`, a name that is there twice, or one that is neither a class of the data set nor
// one of its empty_classes().
std::shared_ptr<const Dataset> relabel(const std::shared_ptr<const Dataset>& dataset, const std::vector<std::string>& names);

}  // namespace ddpm
