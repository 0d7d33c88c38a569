--- Leases: who may write, and how the right to write ends.
---
--- The latest eight leases that ended are remembered in the fields `x0`..`x7`, by epoch modulo
--- eight: 16 bytes of lease id, then `<attempt> <epoch> <end>`. An end is `x` for expired, `v` for
--- revoked, or `r <call> <what it did>` for released. A call is a letter for the verb and a digest of
--- its arguments; what it did is `e <outcome>` for an end, `t <time>` for a retry at that time, or
--- `p <time>` for a pause until then. All of it stays within 64 bytes.
local number = require("number")
local policy = require("policy")
local record = require("record")
local reply = require("reply")

local lease = {}

--- How a lease ends without its holder.
lease.EXPIRED = "x"
lease.REVOKED = "v"

local REMEMBERED = 8
local LEASE_ID_BYTES = 16

local function slot(epoch)
  return "x" .. tonumber(epoch) % REMEMBERED
end

--- How the lease behind a fence ended, if that is remembered.
local function ended(r, fence)
  local past = r.f[slot(fence.epoch)]
  if past and string.sub(past, 1, LEASE_ID_BYTES) == fence.lease then
    local attempt, epoch, how = string.match(string.sub(past, LEASE_ID_BYTES + 1), "^(%d+) (%d+) (.*)$")
    if attempt == fence.attempt and epoch == fence.epoch then
      return how
    end
  end
  return nil
end

local function refusal(r, fence)
  local how = ended(r, fence)
  local released = how and string.match(how, "^r %S+ (.*)$")
  if released then
    return reply.err("ALREADY_RELEASED", released)
  elseif not how or tonumber(r.f.ep) > tonumber(fence.epoch) then
    return reply.err("STALE_LEASE")
  elseif r.f.ea then
    return reply.err("ALREADY_TERMINAL", r.f.st)
  elseif how == lease.REVOKED then
    return reply.err("LEASE_REVOKED")
  end
  return reply.err("LEASE_EXPIRED")
end

--- The fence in a function's arguments.
function lease.fence(attempt, epoch, id)
  return { attempt = attempt, epoch = epoch, lease = id }
end

--- Nil when the lease behind the fence is live, and else the refusal.
function lease.refused(r, fence, now)
  local f = r.f
  if f.li and f.li == fence.lease and f.ai == fence.attempt and f.ep == fence.epoch then
    if now >= tonumber(f.lx) then
      return reply.err("LEASE_EXPIRED")
    end
    return nil
  end
  return refusal(r, fence)
end

--- What this same call did when it was made before, if it was.
function lease.repeated(r, fence, call)
  local how = ended(r, fence)
  local prefix = "r " .. call .. " "
  if how and string.sub(how, 1, #prefix) == prefix then
    return string.sub(how, #prefix + 1)
  end
  return nil
end

--- Ends the live lease, if there is one.
function lease.finish(r, how)
  local f = r.f
  if not f.li then
    return
  end
  record.set(r, slot(f.ep), f.li .. f.ai .. " " .. f.ep .. " " .. how)
  f.li, f.lw, f.lx = nil, nil, nil
  record.set(r, "le", nil)
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
