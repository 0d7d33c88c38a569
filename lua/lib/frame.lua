--- An entry in the stream of an execution: one frame.
---
--- It has the number of its attempt, counted from 1, and that of the frame within the execution for an id,
--- and one field, `f`: when it was appended, what the stream counted with it, the number of the first frame
--- of the attempt, the highest number that the writer had given or `-`, the kind (`o` stdout, `e` stderr,
--- `v` event, `b` blob), whether the frame has that number (`n`) or none (`u`), the lengths of type and
--- correlation id, and behind a space type, correlation id and bytes.
local number = require("number")

local frame = {}

--- What a frame counts beyond its bytes.
frame.OVERHEAD_BYTES = 64

local HEADER = "^(%d+) (%d+) (%d+) (%S+) (%l) (%l) (%d+) (%d+) ()"

--- The id of the entry of a frame.
function frame.id(attempt, ordinal)
  return number.text(attempt + 1) .. "-" .. number.text(ordinal)
end

--- The first and the last id that entries of an attempt can have.
function frame.ids(attempt)
  return number.text(attempt + 1) .. "-0", number.text(attempt + 1)
end

--- The parts of an entry that are counted with.
function frame.read(entry)
  local value = entry[2][2]
  local attempt, ordinal = string.match(entry[1], "^(%d+)%-(%d+)$")
  local _, counted, began, highest, _, own, type, correlation, at = string.match(value, HEADER)
  return {
    attempt = tonumber(attempt) - 1, ordinal = tonumber(ordinal), counted = tonumber(counted),
    began = tonumber(began), highest = highest ~= "-" and highest or nil, numbered = own == "n",
    bytes = #value - (at - 1) - tonumber(type) - tonumber(correlation),
  }
end

--- The field of an entry, which counts itself; `values` has five of the frame: kind, number, type,
--- correlation id, bytes.
function frame.field(values, at, now, counted, began, highest)
  local own, type, correlation = values[at + 1] ~= "", values[at + 2], values[at + 3]
  local counts = number.text(now) .. " " .. number.text(counted) .. " " .. number.text(began) .. " " .. (highest or "-")
  local lengths = #type .. " " .. #correlation .. " "
  return counts .. " " .. values[at] .. (own and " n " or " u ") .. lengths .. type .. correlation .. values[at + 4]
end

return frame
