#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/config.h"
#include "cli/training_data.h"
#include "ddpm/checkpoint/diffusers.h"

namespace ddpm::cli {

// The model that --init-from names.
struct InitialModel {
    std::string path;  // as it was given
    Pipeline pipeline;
    std::shared_ptr<const UNet2D> network;
    std::vector<std::string> class_names;  // of the first rows of its table of labels; empty: not known, or no classes
    bool has_empty_label = false;          // whether its last row was trained as the empty label of train.class_dropout
};

// Opens it. user_error: its network is not the configuration's; tables of labels may differ in their number of rows. Another
// schedule or prediction type is a warning.
InitialModel open_initial(const std::string& path, const Config& config);

// Its network, with the rows of the table of labels in the order of the data set's classes: by name, where it has names, else by
// the numbers that the classes are called by (class_rows.h). A class that it does not know gets the row that a run from the
// seed would begin with. What came from where is logged. user_error: neither names nor numbers say which row is meant, or the
// labels are embedded like times, so that their numbers can't be changed.
std::shared_ptr<const UNet2D> load_initial(const InitialModel& model, const Config& config, const Dataset& data);

}  // namespace ddpm::cli
