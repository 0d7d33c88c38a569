--- What a handler keeps over its attempts: a state, the results of steps, and the keys of its reports of
--- usage. All of it goes with the end.
---
--- A step is a field of a hash: its name, and `<number> <attempt> <when> <length> <content type><result>`.
--- The record has how many there are, and how many bytes their results have together.
local keys = require("keys")
local number = require("number")
local record = require("record")

local kept = {}

--- Most steps of an execution, and bytes of their results together.
local STEPS_MAX = 256
local RESULTS_MAX_BYTES = 4194304
--- Most keys of reports that one execution remembers.
local REPORTS_MAX = 10000

local function pending(r)
  r.kept = r.kept or {}
  return r.kept
end

--- Saves a state in place of the one there is, or removes it.
function kept.set_state(r, state)
  local is_long = state ~= nil and #state > record.SHORT_MAX_BYTES
  if r.f.sk or is_long then
    pending(r).state = is_long and state or false
  end
  record.set(r, "sk", is_long and "1" or nil)
  record.set(r, "sv", not is_long and state or nil)
end

--- The state when it has a key of its own; an inline one is among the fields.
function kept.long_state(r)
  return r.f.sk and redis.call("GET", keys.state(r.partition, r.id)) or ""
end

local function totals(r)
  local count, bytes = string.match(r.f.sn or "0 0", "^(%d+) (%d+)$")
  return tonumber(count), tonumber(bytes)
end

--- Content type and result of a recorded step, or nil.
function kept.step(r, name)
  local step = r.f.sn and redis.call("HGET", keys.steps(r.partition, r.id), name)
  if not step then
    return nil
  end
  local length, at = string.match(step, "^%d+ %d+ %d+ (%d+) ()")
  return string.sub(step, at, at + length - 1), string.sub(step, at + length)
end

--- Adds a step. Answers the code of the limit that it would pass, and how far, or nil.
function kept.add_step(r, name, content_type, result, now)
  local count, bytes = totals(r)
  if count + 1 > STEPS_MAX then
    return "STEPS", count + 1
  elseif bytes + #result > RESULTS_MAX_BYTES then
    return "STEP_RESULTS", bytes + #result
  end
  record.set(r, "sn", number.text(count + 1) .. " " .. number.text(bytes + #result))
  local head = number.text(count) .. " " .. r.f.ai .. " " .. number.text(now) .. " " .. #content_type .. " "
  pending(r).step = { name, head .. content_type .. result }
  return nil
end

--- Whether a report with this key is among the latest that were counted.
function kept.is_reported(r, key)
  return r.f.ru ~= nil and redis.call("ZSCORE", keys.reports(r.partition, r.id), key) ~= false
end

--- Remembers the key of a report.
function kept.add_report(r, key)
  record.set_number(r, "ru", tonumber(r.f.ru or "0") + 1)
  pending(r).report = key
end

--- Forgets everything, as the end of the execution does.
function kept.finish(r)
  if r.f.sk or r.f.sv then
    kept.set_state(r, nil)
  end
  if r.f.sn then
    record.set(r, "sn", nil)
    pending(r).no_steps = true
  end
  if r.f.ru then
    record.set(r, "ru", nil)
    pending(r).no_reports = true
  end
end

--- Writes what was changed beside the record.
function kept.save(r)
  local changes = r.kept
  r.kept = nil
  if changes.state then
    redis.call("SET", keys.state(r.partition, r.id), changes.state)
  elseif changes.state == false then
    redis.call("DEL", keys.state(r.partition, r.id))
  end
  if changes.step then
    redis.call("HSET", keys.steps(r.partition, r.id), changes.step[1], changes.step[2])
  end
  if changes.no_steps then
    redis.call("DEL", keys.steps(r.partition, r.id))
  end
  if changes.report then
    local reports = keys.reports(r.partition, r.id)
    redis.call("ZADD", reports, r.f.ru, changes.report)
    if tonumber(r.f.ru) > REPORTS_MAX then
      redis.call("ZREMRANGEBYRANK", reports, 0, -REPORTS_MAX - 1)
    end
  end
  if changes.no_reports then
    redis.call("DEL", keys.reports(r.partition, r.id))
  end
end

return kept
