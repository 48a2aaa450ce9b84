"""What each limit is, written as plainly as possible: lists of what was admitted, and no thought of speed."""

from datetime import UTC, datetime, timedelta

from voxgate.gate.limits import LimitKind


class WindowModel:
    """A sliding window: every admitted request with its time."""

    def __init__(self, limit):
        self.limit, self.span = limit, limit.window_s * 1000
        self.admitted = []

    def inside(self, now):
        return [(min(at, now), cost) for at, cost in self.admitted if at > now - self.span]

    def look(self, now):
        """Bring back what lies in the future."""
        if any(at > now for at, _ in self.admitted):
            self.admitted = self.inside(now)

    def used(self, now):
        return sum(cost for _, cost in self.inside(now))

    def next_free(self, now):
        return min((at + self.span - now for at, _ in self.inside(now)), default=0)

    def wait(self, now, cost):
        if self.used(now) + cost <= self.limit.quota:
            return 0
        waits = sorted(at + self.span - now for at, _ in self.inside(now))
        return next((wait for wait in waits if self.used(now + wait) + cost <= self.limit.quota), self.span)

    def admit(self, now, cost, lease_id):
        self.admitted = [*self.inside(now), (now, cost)]


class CalendarModel:
    """A quota of the calendar: every admitted request with its day or month."""

    def __init__(self, limit):
        self.limit, self.admitted = limit, []

    def period(self, now):
        moment = datetime.fromtimestamp(now / 1000, tz=UTC)
        return (moment.year, moment.month, moment.day if self.limit.kind is LimitKind.CALENDAR_DAY else 1)

    def look(self, now):
        """Leave everything as it is; a request that is admitted replaces the counter of another period."""

    def used(self, now):
        return sum(cost for at, cost in self.admitted if self.period(at) == self.period(now))

    def end(self, now):
        day = datetime(*self.period(now), tzinfo=UTC)
        first = day
        while self.period(day.timestamp() * 1000) == self.period(first.timestamp() * 1000):
            day += timedelta(days=1)
        return round(day.timestamp() * 1000)

    def next_free(self, now):
        return self.end(now) - now if self.used(now) else 0

    def wait(self, now, cost):
        return 0 if self.used(now) + cost <= self.limit.quota else self.end(now) - now

    def admit(self, now, cost, lease_id):
        self.admitted = [each for each in self.admitted if self.period(each[0]) == self.period(now)]
        self.admitted.append((now, cost))


class LeaseModel:
    """What runs at once: each lease with its end."""

    def __init__(self, limit):
        self.limit, self.span = limit, limit.window_s * 1000
        self.ends = {}

    def running(self, now):
        return {id_: min(end, now + self.span) for id_, end in self.ends.items() if end > now}

    def look(self, now):
        """Bring back ends that lie too far in the future."""
        if any(end > now + self.span for end in self.ends.values()):
            self.ends = self.running(now)

    def used(self, now):
        return len(self.running(now))

    def next_free(self, now):
        return min((end - now for end in self.running(now).values()), default=0)

    def wait(self, now, cost):
        waits = sorted(end - now for end in self.running(now).values())
        fitting = [wait for wait in [0, *waits] if self.used(now + wait) + cost <= self.limit.quota]
        return fitting[0] if fitting else (waits or [self.span])[-1]

    def admit(self, now, cost, lease_id):
        self.ends = {**self.running(now), lease_id: now + self.span}


MODELS = {
    LimitKind.WINDOW: WindowModel,
    LimitKind.CALENDAR_DAY: CalendarModel,
    LimitKind.CALENDAR_MONTH: CalendarModel,
    LimitKind.AT_ONCE: LeaseModel,
}


class SessionModel:
    """A session: the newest generation that is proven to have arrived, and its ends."""

    def __init__(self, state):
        self.state, self.generation, self.idle, self.is_ended = state, state.generation, state.idle_ends_at_ms, False

    def put(self, state):
        self.generation = max(self.generation, state.generation)
        ends = [each for each in (self.idle, state.idle_ends_at_ms) if each is not None]
        self.idle = max(ends, default=None)

    def access(self, now, generation):
        if self.is_ended:
            return "TOKEN_REVOKED"
        if now >= self.state.expires_at_ms:
            return "TOKEN_EXPIRED"
        self.generation = max(self.generation, generation)
        return None

    def refresh(self, now, query):
        if self.is_ended:
            return "TOKEN_REVOKED"
        if now >= self.state.expires_at_ms:
            return "TOKEN_EXPIRED"
        if query.generation < self.generation:
            self.is_ended = True
            return "TOKEN_REUSED"
        if self.idle is not None and now >= self.idle:
            return "TOKEN_EXPIRED"
        self.generation = query.generation + query.is_strict
        if query.idle_ms:
            self.idle = min(self.state.expires_at_ms, now + query.idle_ms)
        return None
