--- The running summary of an execution: one string, `<version> <attempt> <when>` and behind a line's end the
--- document.
local keys = require("keys")
local number = require("number")

local summary = {}

local STORED = "^(%d+) (%d+) (%d+)\n()"

--- What stands: `version` as a number, `attempt`, `document` and the whole `text`; nil when there is none.
function summary.load(partition, id)
  local text = redis.call("GET", keys.summary(partition, id))
  if not text then
    return nil
  end
  local version, attempt, _, at = string.match(text, STORED)
  return { version = tonumber(version), attempt = attempt, document = string.sub(text, at), text = text }
end

--- The text of one that is newer than a version given as text, or nil; none is when that is empty.
function summary.newer(partition, id, version)
  local stands = version ~= "" and summary.load(partition, id) or nil
  return stands and stands.version > tonumber(version) and stands.text or nil
end

--- Replaces what stands.
function summary.save(partition, id, version, attempt, document, now)
  local text = number.text(version) .. " " .. attempt .. " " .. number.text(now) .. "\n" .. document
  redis.call("SET", keys.summary(partition, id), text)
end

return summary
