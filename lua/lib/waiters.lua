--- Which of those who wait for work is woken for what becomes ready.
local arms = require("arms")
local capabilities = require("capabilities")
local closed = require("closed")
local keys = require("keys")
local tags = require("tags")

local waiters = {}

local SCANNED_AT_ONCE = 64
--- Most arms of a lane that are looked at for one kind of work, and most that one call looks at. What
--- would suit one behind them waits for the next maintenance call.
local SCANNED_MAX = 1024
local SCANNED_BY_CALL_MAX = 4096

--- What one call knows of the arms it has looked at: shared by the records it brings along, so that
--- none is looked at twice for the same kind of work. `from` has the rank of the first that was not.
local function looked(r)
  r.looked = r.looked or {}
  local l = r.looked
  if not l.scanned then
    l.scanned, l.offers, l.from, l.works, l.asked = 0, {}, {}, {}, {}
  end
  return l
end

local function suits(r, kind, l, arm)
  if kind == "c" and (arm.mode == "f" or not tags.has(r, arm.tag)) then
    return false
  elseif not r.f.cl then
    return true
  end
  l.offers[arm.offered] = l.offers[arm.offered] or capabilities.offer(arm.offered)
  return capabilities.covers(l.offers[arm.offered], r.f.cl)
end

--- An arm was taken off at this rank: those behind it move up.
local function close_ranks(l, lane, rank)
  for work, from in pairs(l.from) do
    if work.lane == lane and from > rank then
      l.from[work] = from - 1
    end
  end
end

--- The kind of work that a record in a queue is, one table for each in a call.
local function work_of(r, kind, l)
  local name = kind .. r.f.ln .. " " .. (r.f.cl or "") .. "\t" .. (kind == "c" and r.f.tg or "")
  l.works[name] = l.works[name] or { lane = r.f.ln }
  return l.works[name]
end

--- Wakes the longest waiting process that can take a record from the queue `kind`, of those behind the
--- rank `start` when one is given. Answers whether there was one.
function waiters.wake(r, kind, start)
  local partition, lane, l = r.partition, r.f.ln, looked(r)
  local key, first = keys.waiters(partition, lane), nil
  if not start and not l.asked[lane] then
    first = redis.call("ZRANGE", key, 0, SCANNED_AT_ONCE - 1)
    l.asked[lane] = first[1] and "some" or "nobody"
  end
  if l.asked[lane] == "nobody" then
    return false
  end
  local work = work_of(r, kind, l)
  local from = l.from[work] or start or 0
  local last = (start or 0) + SCANNED_MAX
  while from < last and l.scanned < SCANNED_BY_CALL_MAX do
    local batch = first or redis.call("ZRANGE", key, from, from + SCANNED_AT_ONCE - 1)
    first = nil
    if #batch > 0 and closed.to(r, l) then
      return false
    end
    for _, member in ipairs(batch) do
      l.scanned = l.scanned + 1
      local arm = arms.read(member)
      if arm and suits(r, kind, l, arm) then
        close_ranks(l, lane, from)
        if arms.fire(partition, lane, arm, r.id) then
          l.from[work] = from
          return true
        end
      else
        from = from + 1
      end
    end
    if #batch < SCANNED_AT_ONCE then
      break
    end
  end
  l.from[work] = from
  return false
end

--- Whether anybody waits for a lane.
function waiters.any(partition, lane)
  return redis.call("EXISTS", keys.waiters(partition, lane)) == 1
end

--- The rank of somebody who waits for a lane, chosen at random.
function waiters.some_rank(partition, lane)
  local key = keys.waiters(partition, lane)
  local member = redis.call("ZRANDMEMBER", key)
  return member and redis.call("ZRANK", key, member) or 0
end

--- Some of those who wait for a lane, chosen at random, each as what it asks for.
function waiters.some(partition, lane, most)
  local found = {}
  for _, member in ipairs(redis.call("ZRANDMEMBER", keys.waiters(partition, lane), most)) do
    local arm = arms.read(member)
    if arm then
      arm.fresh, arm.reclaims = arm.mode ~= "c", arm.mode ~= "f"
      found[#found + 1] = arm
    end
  end
  return found
end

return waiters
