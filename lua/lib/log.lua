--- How the completion log is read: places in it, and what stands behind them.
local events = require("events")
local keys = require("keys")
local number = require("number")
local record = require("record")
local tags = require("tags")

local log = {}

--- Events that are read at a time, and looked at by one call.
local READ_AT_ONCE = 100
local EXAMINED_MAX = 1000
--- A call that carries this much of results takes no more.
local BYTES_MAX = 4194304
--- Digits of an execution that tell one event from another.
local CHECK_DIGITS = 8

local function check_of(e)
  return string.sub(e.id, -CHECK_DIGITS)
end

--- The place behind the last event that was written, trimmed or not.
local function last(partition)
  local key = keys.log(partition)
  local entry = redis.call("XREVRANGE", key, "+", "-", "COUNT", 1)[1]
  if entry then
    local e = events.read(entry)
    return { seq = e.seq, check = check_of(e) }
  elseif redis.call("EXISTS", key) == 0 then
    return { seq = "0", check = "" }
  end
  local info = redis.call("XINFO", "STREAM", key)
  for i = 1, #info, 2 do
    if info[i] == "last-generated-id" then
      return { seq = events.number(info[i + 1]), check = "" }
    end
  end
end

--- The place in front of the oldest event that is kept.
local function start(partition)
  local entry = redis.call("XRANGE", keys.log(partition), "-", "+", "COUNT", 1)[1]
  local seq = entry and number.text(tonumber(events.read(entry).seq) - 1) or last(partition).seq
  return { seq = seq, check = "" }
end

--- Whether the event in front of a place is another one than was read, or lies behind the last.
local function is_other(partition, seq, check)
  if tonumber(seq) > tonumber(last(partition).seq) then
    return true
  elseif check == "" or tonumber(seq) == 0 then
    return false
  end
  local id = events.id(seq)
  local entry = redis.call("XRANGE", keys.log(partition), id, id)[1]
  return entry ~= nil and check_of(events.read(entry)) ~= check
end

--- A place: `seq` and `check`, and `gap` when what stood behind it is gone.
function log.place(partition, from, check)
  if from == "now" then
    return last(partition)
  end
  local place = start(partition)
  if from == "start" then
    return place
  elseif is_other(partition, from, check) or tonumber(place.seq) > tonumber(from) then
    place.gap = true
    return place
  end
  return { seq = from, check = check }
end

--- The result of an execution, when it is still that of this end.
local function result_of(partition, e)
  if e.what ~= "x" or e.state ~= "completed" then
    return nil
  end
  local f = record.summary(partition, e.id)
  if not f or f.st ~= e.state or f.ea ~= e.at then
    return nil
  end
  local kept = redis.call("HMGET", keys.execution(partition, e.id), "rk", "re")
  if not kept[1] then
    return nil
  end
  return kept[2] or redis.call("HGET", keys.long(partition, e.id), "re") or ""
end

--- Up to `most` events behind a place that have a tag and are of a flow; the place moves behind what was
--- looked at.
function log.items(partition, place, most, tag, flow)
  local items, examined, bytes = {}, 0, 0
  while examined < EXAMINED_MAX do
    local from = place.seq == "0" and "-" or "(" .. events.id(place.seq)
    local read = redis.call("XRANGE", keys.log(partition), from, "+", "COUNT", READ_AT_ONCE)
    for _, entry in ipairs(read) do
      local e = events.read(entry)
      if #items >= most or bytes >= BYTES_MAX then
        return items
      end
      if tags.has(e, tag) and (flow == "" or flow == e.flow) then
        local result = result_of(partition, e)
        items[#items + 1] = { e.what, e.id, e.state, e.at, e.flow, result and "1" or "0", result or "" }
        bytes = bytes + #(result or "")
      end
      place.seq, place.check = e.seq, check_of(e)
      examined = examined + 1
    end
    if #read < READ_AT_ONCE then
      break
    end
  end
  return items
end

return log
