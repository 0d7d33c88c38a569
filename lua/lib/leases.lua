--- How many leases and tokens are held, by lane and by key. Nothing else writes these numbers, which are
--- brought along with each record.
local aside = require("aside")
local keys = require("keys")
local lanes = require("lanes")
local waiters = require("waiters")
local wakes = require("wakes")

local leases = {}

local function add(key, field, by)
  local count = redis.call("HINCRBY", key, field, by)
  if count == 0 then
    redis.call("HDEL", key, field)
  end
  return count
end

--- Adds to the counts of a lane what a claim has tallied. The leases of one that is steered are written with the rest of
--- it: nothing ends one meanwhile. A token may have been taken back, by the end of a flow that the claim found due.
function leases.flush(partition, name, tally, ln)
  if tally.l > 0 and not ln then
    add(keys.lane_run(partition, name), "l", tally.l)
  end
  if tally.t > 0 then
    local tokens = add(keys.lane_run(partition, name), "t", tally.t)
    if ln then
      ln.f.t = tokens
    end
  end
end

--- Room was made in a lane: who waits for a lease to end goes on.
local function freed(r, now)
  local name, looked = r.f.ln, r.looked or {}
  local is = lanes.of(r.partition, name, looked)
  if not is then
    return
  end
  if r.f.lk and is.key_most and aside.lease_ended(r.partition, name, r.f.lk) then
    local ln = lanes.open(r.partition, name, is.text)
    lanes.look_by(ln, now)
    lanes.save(ln, now)
  end
  if (is.most or is.key_most) and waiters.any(r.partition, name) then
    r.looked = looked
    wakes.one(lanes.open(r.partition, name, is.text), looked, now, r.f.lk)
  end
end

local function change(r, letter, by)
  if r.f.lk then
    add(keys.held_by_key(r.partition, r.f.ln), letter .. r.f.lk, by)
  end
  if r.tally then
    r.tally[letter] = r.tally[letter] + by
    return nil
  end
  return add(keys.lane_run(r.partition, r.f.ln), letter, by)
end

--- Brings the counts along with a record that held a lease, or a token, before it was changed. A `tally` on the
--- record takes what is to be added for the lane.
function leases.follow(r, leased, granted, now)
  local left
  if leased ~= r.leased then
    left = change(r, "l", leased and -1 or 1)
  end
  if granted ~= r.granted then
    change(r, "t", granted and -1 or 1)
  end
  if not r.leased and not r.granted and (granted or (left and left >= lanes.STEERED)) then
    freed(r, now)
  end
end

return leases
