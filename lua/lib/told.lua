--- Tells those who wait for the end of an execution how it ended.
---
--- The message holds the end itself, because the record may be gone before a waiting process has
--- read it. A very large end is only announced.
local keys = require("keys")
local record = require("record")

local told = {}

--- Where the holder has its instance, behind the worker.
local INSTANCE_AT = 17
local MESSAGE_MAX_BYTES = 262144
local FIELDS = { "rk", "re", "fc", "fa", "ft", "fm", "fd", "ca", "cr" }

local function value_of(r, field)
  if r.f[field] then
    return r.f[field]
  end
  local pending = r.long and r.long[field]
  if pending == nil and r.f.B then
    pending = redis.call("HGET", keys.long(r.partition, r.id), field)
  end
  return pending or nil
end

--- Publishes the end of a record that is about to be saved, each field as
--- `<name> <length>:<bytes>`.
function told.ended(r)
  local run = record.run(r)
  local parts, size = { "r " .. #run .. ":" .. run }, 0
  for _, field in ipairs(FIELDS) do
    local value = value_of(r, field)
    if value then
      parts[#parts + 1] = field .. " " .. #value .. ":" .. value
      size = size + #value
    end
  end
  local message = size <= MESSAGE_MAX_BYTES and table.concat(parts) or ""
  redis.call("SPUBLISH", keys.ended(r.partition, r.id), message)
  record.set(r, "aw", nil)
end

--- Tells the holder of the lease that the execution is to be cancelled.
function told.cancelled(r)
  local instance = string.gsub(string.sub(r.f.lw, INSTANCE_AT), ".", function(byte)
    return string.format("%02x", string.byte(byte))
  end)
  redis.call("SPUBLISH", keys.instance(r.partition, instance), r.id)
end

--- Announces that there is something new in the stream of an execution.
function told.frames(partition, id)
  redis.call("SPUBLISH", keys.written(partition, id), "")
end

--- Announces it when an attempt is over or the execution has ended, if anybody waits for frames.
function told.frames_over(r, was_writing, was_over)
  if (was_writing and not r.writing) or (r.over and not was_over) then
    told.frames(r.partition, r.id)
    record.set(r, "tw", not r.over and r.f.tw or nil)
  end
end

--- Announces the end of a flow.
function told.flow_ended(fl)
  redis.call("SPUBLISH", keys.ended(fl.partition, fl.flow), "")
  record.set(fl, "aw", nil)
end

return told
