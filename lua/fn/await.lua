--- Asks to be told of the end of an execution on its channel. Answers whether it has ended already.
---
--- @flags allow-oom
--- @arg id id
--- @ok ended flag
--- @err NOT_FOUND
local execution = require("execution")
local record = require("record")
local reply = require("reply")
local run = require("run")
local store = require("store")

return function(partition, id)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  elseif run.is_over(r) then
    return reply.ok("1")
  end
  record.set(r, "aw", "1")
  store.save(r)
  return reply.ok("0")
end
