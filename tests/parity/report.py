"""Rows of the comparison: the largest difference seen of each, its bound, and whether it held."""


class Report:
    def __init__(self):
        self.rows = {}

    def __call__(self, row, difference, bound=None):
        """`difference` must stay within `bound`; without one it is only reported."""
        self._record(row, float(difference), bound, None)

    def deviation(self, row, difference, at_least, reason):
        """For a known difference between both programs. It must be there; otherwise the reason is out of date."""
        self._record(row, float(difference), at_least, reason)

    def _record(self, name, difference, bound, reason):
        row = self.rows.setdefault(name, dict(difference=difference, bound=bound, reason=reason, count=0, held=True))
        # NaN compares false with everything, and so does not hold.
        held = bound is None or (difference >= bound if reason else difference <= bound)
        worse = (lambda a, b: a < b) if reason else (lambda a, b: not a <= b)
        if row["count"] == 0 or worse(difference, row["difference"]):
            row["difference"], row["bound"] = difference, bound
        row["count"] += 1
        row["held"] = row["held"] and held

    def held(self):
        return bool(self.rows) and all(row["held"] for row in self.rows.values())

    def markdown(self):
        lines = ["| what | compared | largest difference | bound |", "|---|---|---|---|"]
        notes = []
        for name, row in self.rows.items():
            bound = "reported" if row["bound"] is None else f"{row['bound']:.0e}"
            if row["reason"]:
                bound = f"at least {bound}"
                notes.append(f"- {name}: {row['reason']}")
            mark = "" if row["held"] else " **FAILED**"
            lines.append(f"| {name} | {row['count']} | {row['difference']:.1e} | {bound}{mark} |")
        if notes:
            lines += ["", "Known deviations (the smallest difference seen):", "", *notes]
        return "\n".join(lines) + "\n"
