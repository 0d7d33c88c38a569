--- Replaces the running summary of an execution when it is still of a version. The outcome is `updated`, also
--- for a repeat, or `stands` and what does, empty when there is none.
---
--- @arg id       id
--- @arg attempt  int
--- @arg epoch    int
--- @arg lease    bytes  16 bytes
--- @arg expected int    version; 0 for none
--- @arg document bytes
--- @ok outcome text
--- @ok stands  bytes  `<version> <attempt> <when>`, a line's end, and the document
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED
local clock = require("clock")
local fence = require("fence")
local holders = require("holders")
local reply = require("reply")
local summary = require("summary")
local told = require("told")

return function(partition, id, attempt, epoch, lease_id, expected, document)
  local now = clock.now_ms(partition)
  local holder, refusal = holders.of(partition, id, fence.of(attempt, epoch, lease_id), now)
  if refusal then
    return refusal
  end
  local stands, from = summary.load(partition, id), tonumber(expected)
  local version = stands and stands.version or 0
  if version == from then
    summary.save(partition, id, from + 1, attempt, document, now)
    if holder.tw then
      told.frames(partition, id)
    end
    return reply.ok("updated", "")
  elseif stands and version == from + 1 and stands.attempt == attempt and stands.document == document then
    return reply.ok("updated", "")
  end
  return reply.ok("stands", stands and stands.text or "")
end
