--- How many claims a rate allows: the generic cell rate algorithm (ITU-T I.371).
---
--- With one claim in each interval `T`, of which `B` may come at once, there is room for
--- `floor((t + B * T - A) / T)` claims at `t`, where `A` is when the next claim is due at the full rate, but
--- not before `t`; and each sets it `T` later. All of it is in us.
local rate = {}

local US_PER_MS = 1000

--- A rate of so many claims in this many ms, with this burst; nil without a number.
function rate.of(limit, per, burst)
  if not tonumber(limit) then
    return nil
  end
  local interval = math.max(math.ceil(tonumber(per) * US_PER_MS / tonumber(limit)), 1)
  return { interval = interval, burst = tonumber(burst) * interval }
end

--- `A` as it counts now. After a clock that stepped back nobody waits longer than after a full burst; who is told to wait has to keep it.
function rate.arrival(its, kept, now)
  local now_us = now * US_PER_MS
  return math.min(math.max(kept or 0, now_us), now_us + its.burst)
end

--- How many claims there is room for.
function rate.room(its, kept, now)
  return math.floor((now * US_PER_MS + its.burst - rate.arrival(its, kept, now)) / its.interval)
end

--- `A` after one more claim.
function rate.after_claim(its, kept, now)
  return rate.arrival(its, kept, now) + its.interval
end

--- When there is room for a claim, in ms.
function rate.next_at(its, kept, now)
  local at = rate.arrival(its, kept, now) + its.interval - its.burst
  return math.max(math.ceil(at / US_PER_MS), now)
end

--- Up to where `A` says nothing any more.
function rate.over(now)
  return now * US_PER_MS
end

return rate
