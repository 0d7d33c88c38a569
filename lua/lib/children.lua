--- The child flows of an execution: those that it started and that have not ended.
local keys = require("keys")
local record = require("record")
local run = require("run")

local children = {}

--- Most that are open when another is started. Of those that a replay opens again there may be more.
children.OPEN_MAX = 64

--- How many there are.
function children.count(r)
  return r.f.cf and redis.call("ZCARD", keys.child_flows(r.partition, r.id)) or 0
end

--- Whether a flow is one of them, or may become one.
function children.has_room_for(r, flow)
  return children.count(r) < children.OPEN_MAX
    or redis.call("ZSCORE", keys.child_flows(r.partition, r.id), flow) ~= false
end

--- Adds one. The record is stored by somebody else.
function children.add(r, flow)
  redis.call("ZADD", keys.child_flows(r.partition, r.id), 0, flow)
  record.set(r, "cf", "1")
end

--- One has ended: who waits for it resumes. Answers whether it was an open one.
function children.ended(r, flow, now)
  local key = keys.child_flows(r.partition, r.id)
  if redis.call("ZREM", key, flow) == 0 then
    return false
  end
  record.set(r, "cf", redis.call("EXISTS", key) == 1 and "1" or nil)
  if r.f.cw == flow then
    record.set(r, "cw", nil)
    run.await_turn(r, "c", now)
  end
  return true
end

--- Forgets them, as the end of the execution does. Answers those that are to end with it.
function children.forsake(r)
  local key = keys.child_flows(r.partition, r.id)
  local open = {}
  if r.f.st ~= "completed" then
    for from = 0, redis.call("ZCARD", key) - 1, children.OPEN_MAX do
      for _, flow in ipairs(redis.call("ZRANGE", key, from, from + children.OPEN_MAX - 1)) do
        open[#open + 1] = flow
      end
    end
  end
  redis.call("DEL", key)
  return open
end

return children
