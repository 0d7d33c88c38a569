--- One execution in hand: its fields as texts, and which of them were changed.
---
--- What nearly every call needs is packed into few stored fields, because a field costs more than its bytes do.
--- In hand the parts of `s`, `r` and `h` are fields of their own: `ln pr at kd`, `st ep ai ao as lx ea ra lt rt rc
--- en` and `li lw`, set directly. All others are stored under their names here, and set through functions.
---
--- @field s   submitted: lane, priority, time, kind
--- @field p   fingerprint of the submission, then the nine numbers of the policy
--- @field r   the run: state, epoch, attempt or `-`, whether it is open, when it started, a time, lease TTL in ms, retries, reclaims, and which call hands it out (`f` claim, `c` reclaim scanner). The time is when the lease ends, when the execution ended, or since when it is ready, by the state
--- @field h   the holder: 16 bytes each of lease id, worker and instance; empty when there is none
--- @field cl  required capabilities, when there are any
--- @field ct  content type of the payload, when it is not the default one
--- @field tg  tags, one `<key> <value>` a line
--- @field pl  the payload, when it has at most 64 bytes
--- @field pk  set when the payload has a key of its own
--- @field rs  what keeps it from being ready, one bit a reason; of its parents `dp` tells
--- @field du  end of the delay
--- @field dl  deadline
--- @field le  when the attempt has run too long
--- @field of  what the worker offered that it was handed out to, until the lease ends, when that was something
--- @field gi  id of the outstanding reclaim token
--- @field gx  when that token returns by itself
--- @field x0  to `x7`: the latest leases that ended, by epoch modulo eight, and how
--- @field on  how many operator requests had an effect
--- @field o0  to `o7`: the latest of them, and their outcomes
--- @field ca  when the cancellation was asked for
--- @field cr  its reason
--- @field pp  progress in percent
--- @field pm  progress message
--- @field fc  class of the latest failure
--- @field fa  the attempt that failed
--- @field ft  when it failed
--- @field fm  what went wrong
--- @field fd  its detail
--- @field rk  content type of the result; set exactly when there is one
--- @field re  the result
--- @field sv  the state that the handler saved, when it has at most 64 bytes
--- @field sk  set when that state has a key of its own
--- @field sn  how many steps it recorded, and how many bytes their results have
--- @field wv  set when it has waitpoints, or has had
--- @field wt  when its wait changes by time alone, while it is suspended
--- @field nd  of a member of a flow: the flow, its index, its join (`a` all, `y` any, `q` quorum), the quorum, what happens to the rest (`l` let run, `c` cancel), its key
--- @field dp  of a member: whether it runs (`o` open, `f` fired, `s` skipped, `c` closed by another end, `z` open and staged), how many edges lead into it, are satisfied, are impossible, brought a failure that it may take, and whether its own failure is left to itself
--- @field ch  the edges that lead out of it, two bytes of index and a letter of condition (`s f a`) each
--- @field ck  how many these are, when they have a key of their own
--- @field pa  the edges that lead into it
--- @field hk  how many these are, when they have a key of their own
--- @field cf  set while some of the child flows that it started are open
--- @field cw  the child flow that it waits for, while it does
--- @field bu  the budgets that it draws on, 32 digits each
--- @field es  what each attempt is expected to use, see `amounts`
--- @field oc  the occurrence of a schedule that it is, if it is one: schedule and time
--- @field rv  what the open attempt may still report within its reservation, when that is not `es`
--- @field bo  the budget that it waits for
--- @field ba  in which generation of it the execution was set aside, if it was
--- @field ug  what this run has reported
--- @field lk  its key, by which it takes turns in its lane
--- @field tl  how long it may be ready before its first attempt, ms
--- @field ru  how many reports under a key were counted
--- @field aw  set while somebody waits for the end
--- @field tw  set once somebody waits for frames, until the end
--- @field B   set when the execution has long values
local keys = require("keys")
local number = require("number")

local record = {}

--- Longest value kept in the hash itself: a longer one would make the server store the whole hash
--- in a form several times as large.
record.SHORT_MAX_BYTES = 64

--- What stands for an outstanding reclaim token.
record.TOKEN = { "gi", "gx" }

local SUBMITTED = "^(%S+) (%S+) (%d+) (%S+)$"
local RUN = "^(%S+) (%d+) (%S+) (%d) (%d+) (%d+) (%d+) (%d+) (%d+) (%l)$"
local LEASE_ID_BYTES = 16

--- The states in which an execution has ended.
record.TERMINAL = { completed = true, failed = true, cancelled = true, expired = true, skipped = true }

--- Takes the packed fields apart. The table is made in its final size, because growing it field by
--- field would cost more than all the rest.
local function in_hand(s, p, r)
  local ln, pr, at, kd = string.match(s, SUBMITTED)
  local st, ep, ai, ao, as, time, lt, rt, rc, en = string.match(r, RUN)
  local held, over = st == "active", record.TERMINAL[st]
  return {
    s = s, p = p, r = r, h = "",
    ln = ln, pr = pr, at = at, kd = kd,
    st = st, ep = ep, as = as, lt = lt, rt = rt, rc = rc,
    ai = ai ~= "-" and ai or nil,
    ao = ao == "1" and ao or nil,
    en = en == "c" and en or nil,
    lx = held and time or nil,
    ea = over and time or nil,
    ra = not held and not over and time or nil,
    li = nil, lw = nil,
  }
end

--- An execution in hand. The table is made in the size that it has with all its places.
local function in_places(partition, id, f)
  return {
    partition = partition, id = id, f = f, queue = nil, since = nil, due = nil, over = nil, writing = nil,
    leased = nil, granted = nil, spent = nil, changed = nil, looked = nil, head = nil, followed = nil,
  }
end

--- Takes the holder apart.
local function hold(f)
  f.li, f.lw = string.sub(f.h, 1, LEASE_ID_BYTES), string.sub(f.h, LEASE_ID_BYTES + 1)
end

--- The run as it is stored.
function record.run(r)
  local f = r.f
  local at = f.li and f.lx or f.ea or f.ra
  return f.st .. " " .. f.ep .. " " .. (f.ai or "-") .. " " .. (f.ao or "0") .. " " .. f.as .. " " .. at .. " "
    .. f.lt .. " " .. f.rt .. " " .. f.rc .. " " .. (f.en or "f")
end

local function by_name(flat)
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  return found.s, found.p, found.r
end

--- The execution, or nil when there is none. The packed fields are written first, and a hash that is compact
--- keeps that order.
function record.load(partition, id)
  local flat = redis.call("HGETALL", keys.execution(partition, id))
  if #flat == 0 then
    return nil
  end
  local s, p, r, from = flat[2], flat[4], flat[6], 7
  if not (flat[1] == "s" and flat[3] == "p" and flat[5] == "r") then
    s, p, r = by_name(flat)
    from = 1
  end
  local f = in_hand(s, p, r)
  for i = from, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  if f.st == "active" then
    hold(f)
  end
  return in_places(partition, id, f)
end

--- The packed fields of an execution, this one, and what it is in a flow, or nil when there is none.
local function part(partition, id, field)
  local kept = redis.call("HMGET", keys.execution(partition, id), "s", "r", "h", field, "nd", "dp")
  if not kept[1] then
    return nil
  end
  local f = in_hand(kept[1], nil, kept[2])
  f.h = kept[3] or ""
  if f.st == "active" then
    hold(f)
  end
  f[field], f.nd, f.dp = kept[4] or nil, kept[5] or nil, kept[6] or nil
  return f
end

--- An execution as a listing shows it: with its tags.
function record.summary(partition, id)
  return part(partition, id, "tg")
end

--- An execution as its holder needs it, with whether somebody waits for frames.
function record.holder(partition, id)
  return part(partition, id, "tw")
end

--- An execution that is not stored yet, has never run, and is ready now.
function record.new(partition, id, lane, priority, kind, now)
  local at = number.text(now)
  local f = {
    s = lane .. " " .. priority .. " " .. at .. " " .. kind, h = "",
    ln = lane, pr = priority, at = at, kd = kind,
    st = "ready", ep = "0", as = "0", ra = at, lt = "0", rt = "0", rc = "0",
  }
  return in_places(partition, id, f)
end

--- Sets a field that is not packed to a text, or removes it.
function record.set(r, field, value)
  if r.f[field] ~= value then
    r.f[field] = value
    local changed = r.changed or {}
    changed[field], r.changed = true, changed
  end
end

--- Removes those of these fields that there are. None of them is packed.
function record.remove(r, fields)
  local f = r.f
  for i = 1, #fields do
    if f[fields[i]] then
      record.set(r, fields[i], nil)
    end
  end
end

--- Sets a field that is not packed to a whole number.
function record.set_number(r, field, value)
  record.set(r, field, number.text(value))
end

--- Sets a field that may be long, or removes it. A long value goes to a hash of its own.
function record.set_text(r, field, value)
  if value and #value > record.SHORT_MAX_BYTES then
    record.set(r, field, nil)
    record.set(r, "B", "1")
    r.long = r.long or {}
    r.long[field] = value
  else
    record.set(r, field, value)
    if r.f.B then
      r.long = r.long or {}
      r.long[field] = false
    end
  end
end

--- What the packed fields hold under names of their own.
local IN_HAND = {
  ln = true, pr = true, at = true, kd = true,
  st = true, ep = true, ai = true, ao = true, as = true, lx = true, ea = true, ra = true,
  lt = true, rt = true, rc = true, en = true, li = true, lw = true,
}

--- The stored fields as a list of names and values, for a reply.
function record.flat(r)
  local flat, n = {}, 0
  for field, value in pairs(r.f) do
    if not IN_HAND[field] then
      flat[n + 1], flat[n + 2], n = field, value, n + 2
    end
  end
  return flat
end

local TASK_FIELDS = { "nd", "oc", "ct", "tg", "pl", "dl", "le", "sv", "sk" }

--- Those of them that make a task, with a lease.
function record.task(r)
  local f = r.f
  local flat, n = { "s", f.s, "p", f.p, "r", f.r, "h", f.h }, 8
  for i = 1, #TASK_FIELDS do
    local field = TASK_FIELDS[i]
    local value = f[field]
    if value then
      flat[n + 1], flat[n + 2], n = field, value, n + 2
    end
  end
  return flat
end

--- The payload when it has a key of its own; an inline one is among the fields.
function record.payload(r)
  return r.f.pk and redis.call("GET", keys.payload(r.partition, r.id)) or ""
end

return record
