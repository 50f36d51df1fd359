"""DDIM inversion: `encode` against DDIMInverseScheduler in float64."""
import itertools

from edit_cases import BOUND, ask, numbered, on_levels
from schedulers import T, betas64
from solvers import LIST, PREDICTIONS, SCHEDULES, in_float64, network
from tools import relative


def encode_cases():
    for schedule, prediction, steps in itertools.product(SCHEDULES, PREDICTIONS, (10, 7, 50)):
        for spacing, offset in (("leading", 0), ("leading", 1), ("trailing", 0)):
            if schedule == "squaredcos_cap_v2" and spacing == "leading":
                continue  # its first t still shows the picture, which is refused here
            grid = dict(steps=steps, timestep_spacing=spacing) | (dict(steps_offset=offset) if offset else {})
            for from_t_0 in (False, True):
                yield dict(schedule=schedule, prediction=prediction, own_grid=True, sample=grid, from_t_0=from_t_0)
        if prediction != "sample" and steps != 50:
            for spacing in ("trailing", "linspace", "karras", "exponential"):
                yield dict(schedule=schedule, prediction=prediction, own_grid=False, from_t_0=False,
                           sample=dict(steps=steps, timestep_spacing=spacing))
            yield dict(schedule=schedule, prediction=prediction, own_grid=False, from_t_0=False, sample=dict(timesteps=LIST))
    yield dict(schedule="linear", prediction="v_prediction", zero_snr=True, own_grid=True, from_t_0=False,
               sample=dict(steps=10, timestep_spacing="trailing"))
    for prediction, evaluations in itertools.product(("epsilon", "v_prediction"), (1, 40)):
        yield dict(schedule="linear", prediction=prediction, own_grid=True, from_t_0=False, evaluations=evaluations,
                   there_and_back=True, sample=dict(steps=50, timestep_spacing="leading"))


def inverted(scheduler, times, x):
    """times: the t that the network gets where the scheduler is at its own timesteps."""
    for step, t in zip(scheduler.timesteps, times):
        x = scheduler.step(network(x, t), step, x).prev_sample
    return x


def inverse_on_own_grid(cls, case, **more):
    sample = case["sample"]
    config = dict(num_train_timesteps=T, trained_betas=betas64(case["schedule"]).tolist(), prediction_type=case["prediction"],
                  rescale_betas_zero_snr=case.get("zero_snr", False), timestep_spacing=sample["timestep_spacing"],
                  steps_offset=sample.get("steps_offset", 0), set_alpha_to_one=not case["from_t_0"], clip_sample=False)
    scheduler = cls(**config | more)
    scheduler.set_timesteps(sample["steps"])
    return scheduler


def there_and_back(ddim, case, ours, picture, report):
    scheduler = ddim(num_train_timesteps=T, trained_betas=betas64("linear").tolist(), prediction_type=case["prediction"],
                     clip_sample=False, timestep_spacing="leading")
    scheduler.set_timesteps(case["sample"]["steps"])
    x = ours
    for t in scheduler.timesteps:
        x = scheduler.step(network(x, t), t, x, eta=0.0).prev_sample
    exact = case["evaluations"] > 1
    report(f"encode with {case['evaluations']} evaluation{'s' * exact} a step, and back by DDIMScheduler", relative(x, picture),
           BOUND if exact else None)


def compare(programs, report, tensors):
    _, inverse = in_float64("scheduling_ddim_inverse", "DDIMInverseScheduler")
    _, ddim = in_float64("scheduling_ddim", "DDIMScheduler")
    cases = numbered(dict(evaluations=1) | case | dict(sample=dict(sampler="ddim", eta=0.0, clip=False) | case["sample"])
                     for case in encode_cases())
    picture = tensors["picture"]
    results = ask(programs, "encode", cases, dict(picture=picture))
    for name, case in cases.items():
        ours, k, t = (results[f"{name}/{key}"] for key in ("x", "k", "t"))
        prediction, sample = case["prediction"], case["sample"]
        if "there_and_back" in case:
            there_and_back(ddim, case, ours, picture, report)
            continue
        if not case["own_grid"]:
            theirs = inverted(on_levels(inverse, k, prediction), t.flip(0), picture)
            report(f"encode, {prediction}, on the levels of {sample.get('timestep_spacing', 'a list')}", relative(ours, theirs), BOUND)
            continue
        scheduler = inverse_on_own_grid(inverse, case)
        theirs = inverted(scheduler, scheduler.timesteps, picture)
        if sample["timestep_spacing"] == "trailing" and T % sample["steps"]:
            if prediction != "sample" or case["from_t_0"]:
                report.deviation("encode, trailing, S does not divide T", relative(ours, theirs), 1e-6,
                                 "DDIMInverseScheduler takes t − T//S for where a step begins, which is not the time before in its list")
        elif prediction == "sample" and not case["from_t_0"]:
            report.deviation("encode, sample, from the clean level", not theirs.isfinite().all(), 1,
                             "DDIMInverseScheduler divides by √(1 − ᾱ) = 0 in the first step; here x̂_0 is read at the level that the step "
                             "leads to")
        else:
            row = f"encode, {prediction}, {sample['timestep_spacing']}" + (", from t = 0" if case["from_t_0"] else "")
            report(row + (", zero SNR" if case.get("zero_snr") else ""), relative(ours, theirs), BOUND)
            if prediction == "sample":
                continue  # nothing to clip: the network's answers are within −1 … 1
            clipped = inverse_on_own_grid(inverse, case, clip_sample=True)
            report.deviation("encode, clipped by default", relative(ours, inverted(clipped, clipped.timesteps, picture)), 1e-6,
                             "DDIMInverseScheduler clips x̂_0 by default, and from what was clipped there is no way back")
