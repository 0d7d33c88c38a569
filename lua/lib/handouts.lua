--- What a claim takes of a lane that is steered.
local clock = require("clock")
local keys = require("keys")
local lanes = require("lanes")
local number = require("number")
local rate = require("rate")
local record = require("record")

local handouts = {}

--- Most keys whose past one call forgets.
local FORGOTTEN_MAX = 16

--- Forgets keys whose past says nothing any more: more than one for each that is added.
local function forget(ln, now)
  local arrivals, over = keys.key_arrivals(ln.partition, ln.lane), number.text(rate.over(now))
  local past = redis.call("ZRANGE", arrivals, "-inf", over, "BYSCORE", "LIMIT", 0, FORGOTTEN_MAX)
  if past[1] then
    redis.call("ZREM", arrivals, unpack(past))
  end
end

--- An execution of this key, or of none, was handed out: what the rates allow is less by that.
function handouts.spend(ln, key, now)
  local is = ln.is
  if is.rate then
    record.set_number(ln, "ta", rate.after_claim(is.rate, ln.f.ta, now))
  end
  if is.key_rate and key then
    local arrival = lanes.key_arrival(ln, key)
    if not arrival then
      forget(ln, now)
    end
    lanes.set_arrival(ln, key, rate.after_claim(is.key_rate, arrival, now))
  end
end

--- Lets what is remembered of the keys go once it says nothing any more, unless something is added before.
local function forget_in_time(ln, now)
  local its = ln.is.key_rate
  if its and ln.arrivals then
    local at = number.later(now, math.ceil((its.burst + its.interval) / 1000) + 1)
    clock.end_at(ln.partition, keys.key_arrivals(ln.partition, ln.lane), at)
  end
end

--- A claim is through: when it has used the rate up, the lane is looked at once there is room. After a clock that
--- stepped back, a look that lies further ahead than anybody has to wait is due at once.
function handouts.finish(ln, now)
  if not (ln.is.rate or ln.is.key_rate) then
    return
  end
  forget_in_time(ln, now)
  if ln.f.la then
    local horizon = lanes.horizon(ln, now)
    if horizon and ln.f.la - horizon > 0 then
      record.set_number(ln, "la", now)
    end
  end
  local its = ln.is.rate
  if its and ln.is.state ~= "p" and rate.room(its, ln.f.ta, now) == 0 then
    record.set_number(ln, "ta", rate.arrival(its, ln.f.ta, now))
    lanes.look_by(ln, rate.next_at(its, ln.f.ta, now))
  end
end

return handouts
