--- Leases: how the right to write is issued, and how it ends. Who has it is in `fence.lua`.
---
--- The latest eight leases that ended are remembered in the fields `x0`..`x7`, by epoch modulo
--- eight: 16 bytes of lease id, then `<attempt> <epoch> <end>`. An end is `x` for expired, `v` for
--- revoked, or `r <call> <what it did>` for released. A call is a letter for the verb and a digest of
--- its arguments; what it did is `e <outcome>` for an end, `t <time>` for a retry at that time, or
--- `p <time>` for a pause until then. All of it stays within 64 bytes.
local number = require("number")
local policy = require("policy")
local record = require("record")

local lease = {}

--- How a lease ends without its holder.
lease.EXPIRED = "x"
lease.REVOKED = "v"

local SLOTS = { "x1", "x2", "x3", "x4", "x5", "x6", "x7", [0] = "x0" }
local REMEMBERED = 8

--- The field that remembers the lease of an epoch.
function lease.slot(epoch)
  return SLOTS[epoch % REMEMBERED]
end

--- Ends the live lease, if there is one.
function lease.finish(r, how)
  local f = r.f
  if not f.li then
    return
  end
  record.set(r, lease.slot(f.ep), f.li .. f.ai .. " " .. f.ep .. " " .. how)
  f.li, f.lw, f.lx = nil, nil, nil
  if f.le then
    record.set(r, "le", nil)
  end
  if f.of or f.B then
    record.set_text(r, "of", nil)
  end
end

--- Gives the live lease back by a call that did `what`.
function lease.release(r, call, what)
  lease.finish(r, "r " .. call .. " " .. what)
end

--- When a lease of this length ends: never behind the attempt's timeout or the deadline.
function lease.expiry(r, now, ttl)
  local at, f = number.later(now, ttl), r.f
  if f.le then
    at = math.min(at, tonumber(f.le))
  end
  if f.dl then
    at = math.min(at, tonumber(f.dl))
  end
  return at
end

--- Issues a lease to a holder (16 bytes of worker, 16 of instance), on the open attempt or else on
--- a new one.
function lease.issue(r, id, holder, ttl, now)
  local f = r.f
  if not f.ao then
    f.ai = number.text(f.ai and f.ai + 1 or 0)
    f.as = number.text(now)
    f.ao = "1"
    if f.pp or f.pm or f.B then
      record.set(r, "pp", nil)
      record.set_text(r, "pm", nil)
    end
  end
  local timeout = policy.of(r).attempt_timeout
  if timeout > 0 then
    record.set(r, "le", number.text(number.later(now, timeout)))
  end
  f.st, f.ep = "active", number.text((f.ep or 0) + 1)
  if f.gi then
    record.remove(r, record.TOKEN)
  end
  f.li, f.lw, f.lt = id, holder, ttl
  f.lx = number.text(lease.expiry(r, now, ttl))
end

return lease
