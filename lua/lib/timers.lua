--- What is due when: one entry an execution, and the same entry under each of its tags, so that a
--- filtered maintainer finds what is its own. Nothing else writes these keys.
local keys = require("keys")
local number = require("number")
local tags = require("tags")

local timers = {}

--- No maintainer sleeps longer than this, so that only a timer that is due sooner has to wake one.
timers.HEARTBEAT_MS = 1000
--- How long a maintainer that has gone away stays registered at the most.
local FORGOTTEN_AFTER_MS = 5000
local MAINTAINERS_ASKED = 16
--- What stands for a tag in the name of the index of what every maintainer looks after. A tag has a space.
timers.EVERYBODYS = "-"
--- How long what cannot be handled is put off.
local POSTPONED_MS = 60000

--- Lets a maintainer sleep until `at` unless something is due sooner.
function timers.sleep(partition, process, tag, at, now)
  local key = keys.maintainers(partition)
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now - FORGOTTEN_AFTER_MS)
  redis.call("ZADD", key, at, process .. " " .. tag)
  redis.call("PEXPIRE", key, FORGOTTEN_AFTER_MS)
end

--- Whether a record is a lane, or a budget or a schedule without tags, which every maintainer looks after, whatever
--- its filter.
local function is_everybodys(r)
  return r.lane ~= nil or ((r.budget or r.schedule) ~= nil and not r.f.tg)
end

local function wake_maintainer(r, at)
  local key = keys.maintainers(r.partition)
  local asleep = redis.call("ZRANGE", key, "(" .. at, "+inf", "BYSCORE", "LIMIT", 0, MAINTAINERS_ASKED)
  for _, member in ipairs(asleep) do
    local process, tag = string.match(member, "^(%x+) (.*)$")
    if process and (tags.has(r, tag) or is_everybodys(r)) then
      redis.call("ZREM", key, member)
      if redis.call("SPUBLISH", keys.process(r.partition, process), "t") > 0 then
        return
      end
    end
  end
end

--- Sets the timer of a record to a time given as text, in place of the one it had.
function timers.set(r, at, now)
  redis.call("ZADD", keys.due(r.partition), at, r.id)
  if r.f.tg then
    tags.each(r, function(tag)
      redis.call("ZADD", keys.due(r.partition, tag), at, r.id)
    end)
  elseif is_everybodys(r) then
    redis.call("ZADD", keys.due(r.partition, timers.EVERYBODYS), at, r.id)
  end
  if at - now < timers.HEARTBEAT_MS then
    wake_maintainer(r, at)
  end
end

--- Removes the timer of a record.
function timers.remove(r)
  redis.call("ZREM", keys.due(r.partition), r.id)
  if r.f.tg then
    tags.each(r, function(tag)
      redis.call("ZREM", keys.due(r.partition, tag), r.id)
    end)
  elseif is_everybodys(r) then
    redis.call("ZREM", keys.due(r.partition, timers.EVERYBODYS), r.id)
  end
end

--- Takes an entry that says something is due, although nothing is, out of the index where it was
--- found. `r` is its record, unless there is none: it gets the timer that it should have.
function timers.correct(partition, tag, id, r, now)
  redis.call("ZREM", keys.due(partition), id)
  if tag ~= "" then
    redis.call("ZREM", keys.due(partition, tag), id)
    redis.call("ZREM", keys.due(partition, timers.EVERYBODYS), id)
  end
  if r and r.due then
    timers.set(r, r.due, now)
  end
end

--- Puts an entry off that cannot be handled, for so many ms or a minute, so that it does not hold up the others.
function timers.postpone(partition, tag, id, now, ms)
  local later = number.text(number.later(now, ms or POSTPONED_MS))
  redis.call("ZADD", keys.due(partition), "XX", later, id)
  if tag ~= "" then
    redis.call("ZADD", keys.due(partition, tag), "XX", later, id)
    redis.call("ZADD", keys.due(partition, timers.EVERYBODYS), "XX", later, id)
  end
end

return timers
