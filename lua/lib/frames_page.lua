--- How the stream of an execution is read.
local frame = require("frame")
local keys = require("keys")

local frames_page = {}

local READ_AT_ONCE = 100
local PAGE_MAX_BYTES = 1048576

local function oldest(key)
  local entry = redis.call("XRANGE", key, "-", "+", "COUNT", 1)[1]
  return entry and frame.read(entry)
end

local function range(key, backwards, from, to, most)
  if backwards then
    return redis.call("XREVRANGE", key, from, to, "COUNT", most)
  end
  return redis.call("XRANGE", key, from, to, "COUNT", most)
end

--- Whether frames behind a place are gone, as far as a frame that was read next to it says, or else the
--- oldest.
local function is_missing(e, ordinal, asked)
  if not asked then
    return ordinal + 1 < e.ordinal
  elseif asked < e.attempt then
    return ordinal + 1 < e.began
  end
  return asked == e.attempt and math.max(ordinal + 1, e.began) < e.ordinal
end

--- Up to `most` entries behind a place, or in front of it, of one attempt or of all: the entries as they are
--- stored, whether there are no more, and whether frames next to the place are gone.
function frames_page.of(partition, id, asked, attempt, ordinal, backwards, most)
  local key, place, found, bytes = keys.frames(partition, id), frame.id(attempt, ordinal), {}, 0
  local low, high = "-", "+"
  if asked then
    low, high = frame.ids(asked)
  end
  local from, to = low, high
  if backwards then
    to = low
    from = ordinal > 0 and (not asked or attempt <= asked) and "(" .. place or high
  elseif ordinal > 0 and (not asked or attempt >= asked) then
    from = "(" .. place
  end
  local through, is_full = false, false
  while not through and not is_full do
    local at_once = math.min(most - #found + 1, READ_AT_ONCE)
    local entries = range(key, backwards, from, to, at_once)
    for _, entry in ipairs(entries) do
      local size = frame.read(entry).bytes
      is_full = #found == most or (#found > 0 and bytes + size > PAGE_MAX_BYTES)
      if is_full then
        break
      end
      found[#found + 1], bytes, from = entry, bytes + size, "(" .. entry[1]
    end
    through = not is_full and #entries < at_once
  end
  if backwards and not through then
    return found, through, false
  end
  local e = backwards and found[#found] or found[1]
  e = e and frame.read(e) or ((backwards or asked) and oldest(key)) or nil
  return found, through, e and is_missing(e, backwards and 0 or ordinal, asked) or false
end

--- Entries as a list of their ids and fields, for a reply.
function frames_page.flat(entries)
  local flat = {}
  for at, entry in ipairs(entries) do
    flat[2 * at - 1], flat[2 * at] = entry[1], entry[2][2]
  end
  return flat
end

return frames_page
