--- A schedule in hand. The client decides which of its occurrences have come due: no calendar is known here.
---
--- @field s  made: when, fingerprint
--- @field ru when it recurs and what becomes of missed occurrences, as the client writes it
--- @field ov what becomes of an occurrence while the execution before has not ended: `allow`, `skip`, `buffer_one`, `cancel_previous`
--- @field wk the work: the values that `submission` takes, packed, without the payload
--- @field pl the payload of the work
--- @field nt note
--- @field tg tags, one `<key> <value>` a line
--- @field ve version: decisions over an earlier one are not carried out
--- @field th up to when occurrences are decided
--- @field nx the next occurrence, unless it is paused or there is none
--- @field la when it has to be looked at
--- @field ps since when it is paused
--- @field pr why
--- @field ct how many occurrences were submitted, missed, overlapped, refused, and backfilled
--- @field be the latest execution that it submitted by itself
--- @field wa the occurrence that waits for the end of that, and its id
--- @field re the latest occurrences that it submitted by itself, latest first: when and id of each
--- @field rf the latest refusal: occurrence and code
--- @field on how many requests changed it
--- @field o0 to `o7`: the latest of them
local changes = require("changes")
local keys = require("keys")
local number = require("number")
local record = require("record")
local timers = require("timers")

local schedule = {}

--- Executions that are remembered.
local REMEMBERED = 10

local COUNTS = "^(%d+) (%d+) (%d+) (%d+) (%d+)$"
local PLANNED = { "s", "ru", "ve", "th", "nx", "la", "tg" }

--- What stands in the due-index for a schedule.
function schedule.due_name(id)
  return "s" .. id
end

--- A schedule from its stored fields by name.
function schedule.in_hand(partition, id, f)
  local s = { partition = partition, schedule = id, id = schedule.due_name(id), f = f, due = f.la }
  local submitted, missed, overlapped, refused, backfilled = string.match(f.ct or "0 0 0 0 0", COUNTS)
  s.counts = {
    submitted = submitted, missed = missed, overlapped = overlapped, refused = refused, backfilled = backfilled,
  }
  return s
end

--- The schedule, or nil when there is none.
function schedule.load(partition, id)
  local flat, f = redis.call("HGETALL", keys.schedule(partition, id)), {}
  if #flat == 0 then
    return nil
  end
  for i = 1, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  return schedule.in_hand(partition, id, f)
end

--- A schedule with the fields that say when it recurs, and these as a list of names and values; nil when there
--- is none.
function schedule.planned(partition, id)
  local values, f, flat = redis.call("HMGET", keys.schedule(partition, id), unpack(PLANNED)), {}, {}
  for i, field in ipairs(PLANNED) do
    if values[i] then
      f[field], flat[#flat + 1], flat[#flat + 2] = values[i], field, values[i]
    end
  end
  return f.s and schedule.in_hand(partition, id, f), flat
end

--- Its stored fields as a list of names and values, for a reply.
function schedule.flat(s)
  local flat = {}
  for field, value in pairs(s.f) do
    flat[#flat + 1], flat[#flat + 2] = field, value
  end
  return flat
end

--- Counts an occurrence, or so many.
function schedule.count(s, what, many)
  local c = s.counts
  c[what] = number.text(tonumber(c[what]) + (many or 1))
  record.set(s, "ct", table.concat({ c.submitted, c.missed, c.overlapped, c.refused, c.backfilled }, " "))
end

--- Remembers the latest execution, and some before it.
function schedule.remember(s, at, id)
  local latest, kept = { at, id }, 1
  for earlier, its in string.gmatch(s.f.re or "", "(%d+) (%x+)") do
    if kept < REMEMBERED then
      latest[#latest + 1], latest[#latest + 2], kept = earlier, its, kept + 1
    end
  end
  record.set(s, "re", table.concat(latest, " "))
  record.set(s, "be", id)
end

--- Writes what was changed, and brings its timer along.
function schedule.save(s, now)
  if s.changed then
    changes.save(s, keys.schedule(s.partition, s.schedule))
  end
  if s.f.la then
    timers.set(s, s.f.la, now)
  elseif s.due then
    timers.remove(s)
  end
  s.due = s.f.la
end

return schedule
