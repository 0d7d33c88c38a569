--- The stream of an execution: how frames are appended, and bounded in number and bytes.
local frame = require("frame")
local keys = require("keys")
local number = require("number")
local packed = require("packed")

local frames = {}

--- What is kept.
local KEPT_MAX = 10000
local KEPT_MAX_BYTES = 8388608
--- Among how many of the latest frames a repeated number is found.
local REMEMBERED = 1000
local READ_AT_ONCE = 100
--- Values of a frame that is to be appended.
local VALUES = 5

--- Whether a number of a writer, as text, is above another. They have up to twenty digits.
local function is_above(one, other)
  return #one > #other or (#one == #other and one > other)
end

--- The frame of an attempt that has a number, among the latest. `memory` has what was read so far.
local function remembered(key, attempt, memory, seq)
  local first, last = frame.ids(attempt)
  memory.stop, memory.looked = memory.stop or last, memory.looked or 0
  while not memory[seq] and memory.looked < REMEMBERED do
    local entries = redis.call("XREVRANGE", key, memory.stop, first, "COUNT", READ_AT_ONCE)
    for _, entry in ipairs(entries) do
      local e = frame.read(entry)
      if e.numbered then
        memory[e.highest] = e.ordinal
      end
      memory.stop = "(" .. entry[1]
    end
    memory.looked = #entries < READ_AT_ONCE and REMEMBERED or memory.looked + #entries
  end
  return memory[seq]
end

--- Removes the oldest frames while those that are kept count too much.
local function trim(key, counted)
  local first, at_once = nil, 2
  local from = "-"
  repeat
    local entries = redis.call("XRANGE", key, from, "+", "COUNT", at_once)
    for _, entry in ipairs(entries) do
      local e = frame.read(entry)
      if counted - (e.counted - e.bytes - frame.OVERHEAD_BYTES) <= KEPT_MAX_BYTES then
        first = first or entry[1]
        break
      end
      from = "(" .. entry[1]
    end
    at_once = math.min(2 * at_once, READ_AT_ONCE)
  until first or #entries == 0
  redis.call("XTRIM", key, "MINID", first)
end

--- What an append of these values comes to: the number of each frame, and those that are new. Nil, and
--- the highest number, when one does not rise and is not remembered.
local function plan(key, attempt, values)
  local entry = redis.call("XREVRANGE", key, "+", "-", "COUNT", 1)[1]
  local latest = entry and frame.read(entry) or { ordinal = 0, counted = 0 }
  local same = latest.attempt == attempt
  local next = {
    ordinals = {}, fresh = {}, counted = latest.counted, written = latest.ordinal,
    began = same and latest.began or latest.ordinal + 1, highest = same and latest.highest or nil,
  }
  local just_now, memory = {}, {}
  for at = 1, #values, VALUES do
    local seq = values[at + 1] ~= "" and values[at + 1] or nil
    local ordinal
    if seq and next.highest and not is_above(seq, next.highest) then
      ordinal = just_now[seq] or remembered(key, attempt, memory, seq)
      if not ordinal then
        return nil, next.highest
      end
    else
      next.written, next.highest = next.written + 1, seq or next.highest
      ordinal = next.written
      next.fresh[#next.fresh + 1] = { at = at, ordinal = ordinal, highest = next.highest }
      if seq then
        just_now[seq] = ordinal
      end
    end
    next.ordinals[#next.ordinals + 1] = number.text(ordinal)
  end
  return next
end

--- Appends frames, five values of each: kind, number, type, correlation id, bytes. Answers their numbers
--- within the execution, or nil and the highest of the writer's numbers.
function frames.append(partition, id, attempt, text, now)
  local key, values = keys.frames(partition, id), packed.read(text)
  local next, highest = plan(key, attempt, values)
  if not next then
    return nil, highest
  end
  local counted = next.counted
  for _, f in ipairs(next.fresh) do
    counted = counted + #values[f.at + 4] + frame.OVERHEAD_BYTES
    local field = frame.field(values, f.at, now, counted, next.began, f.highest)
    redis.call("XADD", key, "MAXLEN", "=", KEPT_MAX, frame.id(attempt, f.ordinal), "f", field)
  end
  if counted > KEPT_MAX_BYTES and #next.fresh > 0 then
    trim(key, counted)
  end
  return next.ordinals
end

return frames
