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

local REMEMBERED = 8

--- The field that remembers the lease of an epoch.
function lease.slot(epoch)
  return "x" .. tonumber(epoch) % REMEMBERED
end

--- Ends the live lease, if there is one.
function lease.finish(r, how)
  local f = r.f
  if not f.li then
    return
  end
  record.set(r, lease.slot(f.ep), f.li .. f.ai .. " " .. f.ep .. " " .. how)
  f.li, f.lw, f.lx = nil, nil, nil
  record.set(r, "le", nil)
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
  local at = number.later(now, ttl)
  if r.f.le then
    at = math.min(at, tonumber(r.f.le))
  end
  if r.f.dl then
    at = math.min(at, tonumber(r.f.dl))
  end
  return at
end

--- Issues a lease to a holder (16 bytes of worker, 16 of instance), on the open attempt or else on
--- a new one.
function lease.issue(r, id, holder, ttl, now)
  local f = r.f
  if not f.ao then
    r.f.ai = number.text(f.ai and tonumber(f.ai) + 1 or 0)
    r.f.as = number.text(now)
    r.f.ao = "1"
    record.set(r, "pp", nil)
    record.set_text(r, "pm", nil)
  end
  local timeout = policy.attempt_timeout(r)
  record.set(r, "le", timeout > 0 and number.text(number.later(now, timeout)) or nil)
  r.f.st = "active"
  r.f.ep = number.text(tonumber(f.ep or "0") + 1)
  record.set(r, "gi", nil)
  record.set(r, "gx", nil)
  r.f.li = id
  r.f.lw = holder
  r.f.lt = ttl
  r.f.lx = number.text(lease.expiry(r, now, tonumber(ttl)))
end

return lease
