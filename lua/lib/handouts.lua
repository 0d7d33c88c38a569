--- What a claim takes of a lane that is steered.
local keys = require("keys")
local lanes = require("lanes")
local number = require("number")
local rate = require("rate")
local record = require("record")

local handouts = {}

--- An execution of this key, or of none, was handed out.
function handouts.count(ln, key, now)
  local is = ln.is
  record.set_number(ln, "cl", tonumber(ln.f.cl or "0") + 1)
  if is.rate then
    record.set_number(ln, "ta", rate.after_claim(is.rate, ln.f.ta, now))
  end
  if is.key_rate and key then
    local arrivals = keys.key_arrivals(ln.partition, ln.lane)
    redis.call("ZREMRANGEBYSCORE", arrivals, "-inf", number.text(rate.over(now)))
    local kept = redis.call("ZSCORE", arrivals, key)
    lanes.set_arrival(ln, key, rate.after_claim(is.key_rate, kept or nil, now))
  end
end

--- A claim is through: when it has used the rate up, the lane is looked at once there is room.
function handouts.finish(ln, now)
  local its = ln.is.rate
  if its and ln.is.state ~= "p" and rate.room(its, ln.f.ta, now) == 0 then
    record.set_number(ln, "ta", rate.arrival(its, ln.f.ta, now))
    lanes.look_by(ln, rate.next_at(its, ln.f.ta, now))
  end
end

return handouts
