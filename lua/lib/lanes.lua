--- A lane that was steered: its settings, and in hand what is used of them.
---
--- The settings are one text: state (`a` active, `p` paused, `d` draining), most leases, the rate as claims, ms
--- and burst, the same two for each key, ms of a step of ageing, most that are ready, and ms of time to live;
--- `-` for none. What changes has a hash, of which a lane that was not steered has the leases and tokens:
---
--- @field l  how many leases are held, and 2^40 more once it was steered
--- @field t  how many reclaim tokens are out
--- @field ta when the next claim is due at the full rate, in us
--- @field cl how many executions were handed out
--- @field la when it has to be looked at
--- @field ls where a look at its queues goes on that is not through
--- @field wt set while some of its keys have weights
--- @field on how many requests changed it
--- @field o0 to `o7`: the latest of them
local changes = require("changes")
local keys = require("keys")
local looks = require("looks")
local memo = require("memo")
local number = require("number")
local rate = require("rate")
local record = require("record")

local lanes = {}

--- From this number on the leases of a steered lane are counted, so that who counts one knows without asking.
local STEERED = 2 ^ 40
lanes.STEERED = STEERED

local SETTINGS = "^(%l) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$"

--- Settings from their text, which are not to be changed.
lanes.settings = memo.of(function(text)
  local state, most, rl, rp, rb, key_most, kl, kp, kb, ageing, queued, ttl = string.match(text, SETTINGS)
  return {
    text = text, state = state, most = tonumber(most), rate = rate.of(rl, rp, rb),
    key_most = tonumber(key_most), key_rate = rate.of(kl, kp, kb),
    ageing = tonumber(ageing), max_queued = tonumber(queued), ttl = tonumber(ttl) and ttl,
  }
end)

--- The settings of a lane, or false; read once in a call, which keeps them in `looked`.
function lanes.of(partition, name, looked)
  looked.lanes = looked.lanes or {}
  if looked.lanes[name] == nil then
    local text = redis.call("GET", keys.lane_settings(partition, name))
    looked.lanes[name] = text and lanes.settings(text) or false
  end
  return looked.lanes[name]
end

--- How many leases and how many tokens are held in a lane.
function lanes.held(partition, name)
  local counts = redis.call("HMGET", keys.lane_run(partition, name), "l", "t")
  return (counts[1] or 0) % STEERED, (counts[2] or 0) + 0
end

--- How many are held by one key of it, leases and tokens together.
function lanes.held_by_key(partition, name, key)
  local counts = redis.call("HMGET", keys.held_by_key(partition, name), "l" .. key, "t" .. key)
  return (counts[1] or 0) + (counts[2] or 0)
end

--- What stands in the due-index for a lane.
local function due_name(ln)
  return "l" .. ln.lane
end

local function in_hand(partition, name, is, l, t, cl, wt, ta, la)
  local ln = {
    partition = partition, lane = name, id = nil, is = is, due = la or nil, arrivals = nil,
    f = { l = l or nil, t = t or nil, cl = cl or nil, wt = wt or nil, ta = ta or nil, la = la or nil },
    handed = 0, l = 0, t = 0, changed = nil,
  }
  if la then
    ln.id = due_name(ln)
  end
  return ln
end

--- A lane in hand, from the text of its settings. What is handed out of it is counted in `handed`, and in `l` and `t`
--- the leases and the tokens among that.
function lanes.open(partition, name, text)
  local kept = redis.call("HMGET", keys.lane_run(partition, name), "l", "t", "cl", "wt", "ta", "la")
  return in_hand(partition, name, lanes.settings(text), unpack(kept))
end

--- The same for a claim, which does not ask for times where there is no rate.
function lanes.open_for_claim(partition, name, text)
  local is = lanes.settings(text)
  if is.rate or is.key_rate then
    return lanes.open(partition, name, text)
  end
  local kept = redis.call("HMGET", keys.lane_run(partition, name), "l", "t", "cl", "wt")
  return in_hand(partition, name, is, unpack(kept))
end

--- How many claims there may be; and when there may be one again, if time alone decides that.
function lanes.room(ln, now)
  local is, room = ln.is, math.huge
  if is.state == "p" then
    return 0
  elseif is.most then
    local held = (ln.f.l or 0) % STEERED + (ln.f.t or 0)
    room = held < is.most and is.most - held or 0
  end
  if is.rate and room > 0 then
    room = math.min(room, rate.room(is.rate, ln.f.ta, now))
    if room == 0 then
      return 0, rate.next_at(is.rate, ln.f.ta, now)
    end
  end
  return room
end

--- When the next claim for a key is due at its full rate, or nil; read once in a call.
function lanes.key_arrival(ln, key)
  ln.arrivals = ln.arrivals or {}
  if ln.arrivals[key] == nil then
    ln.arrivals[key] = redis.call("ZSCORE", keys.key_arrivals(ln.partition, ln.lane), key)
  end
  return ln.arrivals[key] or nil
end

--- What keeps a key from having another claim: `f` when its leases do, the time until when its rate does, or nil.
function lanes.key_barrier(ln, key, now)
  local is = ln.is
  if is.key_most and lanes.held_by_key(ln.partition, ln.lane, key) >= is.key_most then
    return "f"
  elseif is.key_rate then
    local kept = lanes.key_arrival(ln, key)
    if rate.room(is.key_rate, kept, now) == 0 then
      lanes.set_arrival(ln, key, rate.arrival(is.key_rate, kept, now))
      return rate.next_at(is.key_rate, kept, now)
    end
  end
  return nil
end

--- The latest time that anybody has to wait for a rate; nil without one.
function lanes.horizon(ln, now)
  local longest = 0
  for _, its in ipairs({ ln.is.rate or false, ln.is.key_rate or false }) do
    longest = math.max(longest, its and its.burst or 0)
  end
  return longest > 0 and now + math.ceil(longest / 1000) or nil
end

--- Remembers when the next claim for a key is due.
function lanes.set_arrival(ln, key, at)
  ln.arrivals[key] = number.text(at)
  redis.call("ZADD", keys.key_arrivals(ln.partition, ln.lane), ln.arrivals[key], key)
end

--- Has the lane looked at by `at`.
function lanes.look_by(ln, at)
  record.set(ln, "la", number.earlier(ln.f.la, number.text(at)))
end

--- Where the look at its queues goes on, or nil; it is on its way then.
function lanes.looks_on(ln)
  local place = redis.call("HGET", keys.lane_run(ln.partition, ln.lane), "ls")
  if place then
    ln.f.ls = place
    record.set(ln, "ls", nil)
  end
  return place or nil
end

--- Has the look at its queues go on at a place.
function lanes.look_on(ln, place, now)
  record.set(ln, "ls", place)
  record.set_number(ln, "la", now)
end

--- What was handed out, written with what else was changed.
local function save_handed(ln, key)
  local f = ln.f
  f.cl, f.l = (f.cl or 0) + ln.handed, (f.l or 0) + ln.l
  ln.handed, ln.l, ln.t = 0, 0, 0
  -- The leases have the mark of 2^40, and so more digits than any number that is written with an exponent.
  local claimed = number.text(f.cl)
  if ln.changed then
    changes.save(ln, key, { "cl", claimed, "l", f.l, nil, nil }, 4)
  else
    redis.call("HSET", key, "cl", claimed, "l", f.l)
  end
end

--- Writes what was changed, with what was handed out of it, and brings the timer along.
function lanes.save(ln, now)
  local key = keys.lane_run(ln.partition, ln.lane)
  if ln.handed > 0 then
    save_handed(ln, key)
  end
  looks.save(ln, key, due_name, now, nil, 0)
end

return lanes
