--- Who may write: the live lease, compared in all its parts and against the store's clock.
local lease = require("lease")
local reply = require("reply")

local fence = {}

local LEASE_ID_BYTES = 16

--- How the lease behind a fence ended, if that is remembered.
local function ended(r, its)
  local past = r.f[lease.slot(its.epoch)]
  if past and string.sub(past, 1, LEASE_ID_BYTES) == its.lease then
    local attempt, epoch, how = string.match(string.sub(past, LEASE_ID_BYTES + 1), "^(%d+) (%d+) (.*)$")
    if attempt == its.attempt and epoch == its.epoch then
      return how
    end
  end
  return nil
end

local function refusal(r, its)
  local how = ended(r, its)
  local released = how and string.match(how, "^r %S+ (.*)$")
  if released then
    return reply.err("ALREADY_RELEASED", released)
  elseif not how or tonumber(r.f.ep) > tonumber(its.epoch) then
    return reply.err("STALE_LEASE")
  elseif r.f.ea then
    return reply.err("ALREADY_TERMINAL", r.f.st)
  elseif how == lease.REVOKED then
    return reply.err("LEASE_REVOKED")
  end
  return reply.err("LEASE_EXPIRED")
end

--- The fence in a function's arguments.
function fence.of(attempt, epoch, id)
  return { attempt = attempt, epoch = epoch, lease = id }
end

--- Whether the lease behind the fence is that of these fields, expired or not.
function fence.is_live(f, its)
  return f.li ~= nil and f.li == its.lease and f.ai == its.attempt and f.ep == its.epoch
end

--- Nil when the lease behind the fence is live, and else the refusal.
function fence.refused(r, its, now)
  local f = r.f
  if fence.is_live(f, its) then
    if f.lx - now <= 0 then
      return reply.err("LEASE_EXPIRED")
    end
    return nil
  end
  return refusal(r, its)
end

--- What this same call did when it was made before, if it was.
function fence.repeated(r, its, call)
  local how = ended(r, its)
  local prefix = "r " .. call .. " "
  if how and string.sub(how, 1, #prefix) == prefix then
    return string.sub(how, #prefix + 1)
  end
  return nil
end

return fence
