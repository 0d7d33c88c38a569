--- Uses a reclaim token: the execution is leased to the caller.
---
--- @flags allow-oom
--- @arg id     id
--- @arg grant  bytes  16 bytes; the lease gets the same
--- @arg holder bytes  16 bytes of worker, 16 of instance
--- @arg ttl    int    of the lease, ms
--- @ok now     time
--- @ok fields  list
--- @ok payload bytes
--- @ok state   bytes  saved, when it is long
--- @err NOT_FOUND RECLAIM_TOKEN_VOID
local barrier = require("barrier")
local clock = require("clock")
local execution = require("execution")
local kept = require("kept")
local lease = require("lease")
local record = require("record")
local reply = require("reply")

local INSTANCE_AT = 17

return function(partition, id, grant, holder, ttl)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local f = r.f
  if f.li == grant then
    local same = string.sub(f.lw, INSTANCE_AT) == string.sub(holder, INSTANCE_AT)
    if not same or tonumber(f.lx) <= now then
      return reply.err("RECLAIM_TOKEN_VOID")
    end
  elseif f.gi ~= grant or tonumber(f.gx) <= now or barrier.ends(r, now) then
    return reply.err("RECLAIM_TOKEN_VOID")
  else
    lease.issue(r, grant, holder, ttl, now)
    execution.commit(r, now)
  end
  return reply.ok(now, record.task(r), record.payload(r), kept.long_state(r))
end
