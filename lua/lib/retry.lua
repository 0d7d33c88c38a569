--- What a failed attempt means for the next one.
---
--- Back-off and jitter are those of the embedded engine: min(cap, base × factor^n), of which full
--- jitter takes a uniform share by 20 bits that come from the id and the attempt, so that every
--- product stays below 2^53.
local barrier = require("barrier")
local number = require("number")
local policy = require("policy")
local run = require("run")

local retry = {}

local JITTER = 2 ^ 20
--- 2^20 divided by the golden ratio, made odd.
local STEP = 648055
--- Beyond this the growth counts as unbounded.
local OVERFLOW = 2 ^ 64

local function jitter(r)
  local random = tonumber(string.sub(r.id, -5), 16)
  local attempt = tonumber(r.f.ai or "0") % JITTER
  return (random + attempt * STEP) % JITTER
end

local function backoff(r, n)
  local its = policy.of(r)
  local longest = its.base
  if its.exponential then
    local power = its.factor ^ n
    longest = power * its.base
    if power >= OVERFLOW or longest >= OVERFLOW then
      longest = its.cap
    end
    longest = math.min(longest, its.cap)
  end
  if its.jittered then
    return math.floor(longest * jitter(r) / JITTER)
  end
  return longest
end

--- Ends the attempt and decides between another one and the end: a pending cancellation first,
--- then the class, then what is left of the retries, or for `infra_crash` of the reclaims. Answers
--- what was done, as a lease remembers it.
function retry.dispose(r, class, retry_after, now)
  barrier.hear_of(r)
  if r.f.ca or class == "cancelled" then
    run.finish(r, "cancelled", now)
    return "e cancelled"
  end
  local counter
  if class == "transient" or class == "timeout" then
    counter = tonumber(r.f.rt) < policy.of(r).max_retries and "rt"
  elseif class == "infra_crash" then
    counter = tonumber(r.f.rc) < policy.of(r).max_reclaims and "rc"
  end
  if not counter then
    run.finish(r, "failed", now)
    return "e failed"
  end
  local used = tonumber(r.f[counter])
  r.f[counter] = number.text(used + 1)
  local until_ms = number.later(now, retry_after or backoff(r, used))
  run.close_attempt(r)
  run.await_turn(r, nil, run.delay(r, until_ms, now))
  return "t " .. number.text(until_ms)
end

return retry
