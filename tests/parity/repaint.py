"""RePaint: its order of steps, its steps and how they are undone, against RePaintScheduler in float64.

To undo a step of n = T//S times diffusers takes n betas and draws n times; here it is one beta and one draw, which is made from
diffusers' n.
"""
import torch

from edit_cases import BOUND, SHAPE, ask, betas_of, numbered, size_of
from solvers import in_float64, network
from tools import relative


def repaint_cases():
    walks = (("short", 40, (2, 2)), ("short", 40, (10, 10)), ("short", 40, (1, 5)),  # S = T
             ("linear", 250, (10, 10)), ("linear", 50, (10, 10)), ("linear", 10, (2, 2)), ("linear", 7, (3, 2)))
    for schedule, steps, repaint in walks:
        shared = dict(schedule=schedule, prediction="epsilon", mask=True, repaint=repaint)
        grid = dict(steps=steps, timestep_spacing="leading")
        for sampler in (*(dict(sampler="ddim", eta=eta) for eta in (0.0, 0.5, 1.0)), dict(sampler="ancestral")):
            yield shared | dict(noise="one", sample=sampler | grid | dict(clip=False))
            if sampler.get("eta") == 1.0:
                yield shared | dict(noise="two", sample=sampler | grid | dict(clip=False))
            if sampler["sampler"] == "ddim":
                yield shared | dict(noise="one", raw_eps=True, sample=sampler | grid | dict(clip=True))
                yield shared | dict(noise="one", sample=sampler | grid | dict(clip=True))


class RePaint:
    """The loop of diffusers' RePaintPipeline."""

    def __init__(self):
        self.module, self.repaint = in_float64("scheduling_repaint", "RePaintScheduler")

    def scheduler(self, case):
        sample, (resamplings, jump) = case["sample"], case["repaint"]
        scheduler = self.repaint(num_train_timesteps=size_of(case), trained_betas=betas_of(case).numpy(),
                                 eta=sample.get("eta", 1.0), clip_sample=sample["clip"])
        scheduler.set_timesteps(sample["steps"], jump_length=jump, jump_n_sample=resamplings)
        return scheduler

    def walk(self, case, scheduler, tensors, undo):
        """undo [undone steps, T//S, …]: the noise of each undone step, one draw for each t that it spans."""
        x, taken, undone = tensors["x_T"], 0, 0
        before = scheduler.timesteps[0] + 1
        for t in scheduler.timesteps:
            if t < before:
                draws = iter([tensors["step_noise"][taken], tensors["known_noise"][taken]])  # it takes the first for both parts
                self.module.randn_tensor = lambda *args, **kwargs: next(draws)
                x = scheduler.step(network(x, t), t, x, tensors["picture"], tensors["mask"]).prev_sample
                taken += 1
            else:
                draws = iter(undo[undone])
                self.module.randn_tensor = lambda *args, **kwargs: next(draws)
                x = scheduler.undo_step(x, before)
                undone += 1
            before = t
        return x


def with_betas_of_the_step(scheduler, n):
    """Its undo_step(t) then takes the betas of t−n+1 … t, and of t = 0 alone for the first step."""
    scheduler.betas = torch.cat([scheduler.betas.new_zeros(n - 1), scheduler.betas])[:len(scheduler.betas)]
    return scheduler


def joined(undo, scheduler, n):
    """The draws of each undone step as the one that adds the same noise: √β·z = Σ_i √β_i·√Π_{m>i}(1−β_m)·z_i."""
    times, numbers = scheduler.timesteps.tolist(), []
    for before, t in zip(times, times[1:]):
        if t > before:
            betas = scheduler.betas[before:before + n]
            later = torch.cat([torch.cumprod((1 - betas).flip(0), 0).flip(0)[1:], betas.new_ones(1)])
            parts = (betas * later).sqrt() / (1 - torch.prod(1 - betas)).sqrt()
            numbers.append(torch.einsum("n,n...->...", parts, undo[len(numbers)]))
    return torch.stack(numbers) if numbers else undo.new_zeros(1, *SHAPE)


def compare(programs, report, tensors):
    repaint, cases, undo = RePaint(), numbered(repaint_cases()), {}
    more = {}
    for number, (name, case) in enumerate(cases.items()):
        scheduler, n = repaint.scheduler(case), size_of(case) // case["sample"]["steps"]
        times = scheduler.timesteps
        generator = torch.Generator().manual_seed(number)
        undo[name] = torch.randn(int((times[1:] > times[:-1]).sum()), n, *SHAPE, generator=generator, dtype=torch.float64)
        more[f"{name}/undo_noise"] = joined(undo[name], with_betas_of_the_step(scheduler, n), n)
        if case["noise"] == "one":
            more[f"{name}/known_noise"] = tensors["step_noise"][:int((times[1:] < times[:-1]).sum()) + 1]
    results = ask(programs, "edit", cases, tensors | more)
    for name, case in cases.items():
        compare_one_repaint(repaint, report, case, results[f"{name}/x"], results[f"{name}/order"], tensors, undo[name])


def compare_one_repaint(repaint, report, case, ours, order, tensors, undo):
    sample = case["sample"]
    steps, scheduler = sample["steps"], repaint.scheduler(case)
    n = size_of(case) // steps
    report("RePaint: steps that are out of order", order.tolist() != (scheduler.timesteps // n).tolist(), 0)
    fixed = with_betas_of_the_step(repaint.scheduler(case), n)
    difference = relative(ours, repaint.walk(case, fixed, tensors, undo))
    clipped = sample["clip"] and not case.get("raw_eps")
    if case["noise"] == "two":
        report.deviation("RePaint: a z for each part", difference, 1e-6,
                         "RePaintScheduler adds one z to the part that is drawn and to the part that is kept; here they are independent")
    elif clipped:
        report.deviation("RePaint: clipped", difference, 1e-4,
                         "RePaintScheduler keeps the network's ε beside a clipped x̂_0; here ε̂ is derived anew")
    else:
        name = "ancestral" if sample["sampler"] == "ancestral" else f"eta {sample['eta']}"
        report(f"RePaint: {name}, {'S = T' if n == 1 else 'S < T, with the betas that a step spans'}"
               + (", clipped, the network's ε kept" if sample["clip"] else ""), difference, BOUND)
        if n > 1 and not sample["clip"]:
            shipped = repaint.walk(case, scheduler, tensors, undo)
            report.deviation("RePaint: S < T", relative(ours, shipped), 1e-3,
                             "to undo the step from t to t − n, n = T//S, RePaintScheduler takes the betas of t … t + n − 1, which are too "
                             "large, and not those of t − n + 1 … t")
            shifted, right = ((1 - torch.prod(1 - betas)).item() for betas in (scheduler.betas[:n], scheduler.betas[:1]))
            repaint.module.randn_tensor = lambda shape, **kwargs: torch.zeros(shape, dtype=torch.float64)
            added = 1 - repaint.repaint.undo_step(scheduler, torch.ones(1, dtype=torch.float64), 0).item() ** 2
            report.deviation("RePaint: S < T, the variance that is added to a picture, relative to what it should be", added / right, 3,
                             "the same betas: 5.2e-4 in place of 1.0e-4 in 250 steps of the linear schedule")
