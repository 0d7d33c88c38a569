--- What an execution knows of its waitpoints, their signals and its suspension: taken in hand as a
--- whole, changed, and put back as what differs. An execution that never waited has none of it.
---
--- A waitpoint in hand has its `id`, `seq`, `state` (`p` pending, `a` active, `c` closed), `created`,
--- `expires`, `kid`, `epoch` and `place` of the suspend that activated it, `closer` (the epoch whose
--- holder closed it), `kind` (`s` signal name, `c` correlation id, `e` external), `key`, `matcher`, and
--- its `kept` signals in the order of their acceptance. A signal has its `order`, `waitpoint`, `id`,
--- `at`, and `source` (`t`, or `p` and the principal).
local keys = require("keys")
local number = require("number")
local record = require("record")
local waits_text = require("waits_text")

local waits = {}

--- The waits of a record.
function waits.of(r)
  if not r.waits then
    r.waits = { made = 0, accepted = 0, all = {}, known = {}, was = {}, bodies = {}, seen = {}, forgotten = {} }
    if r.f.wv then
      waits_text.read(r.waits, redis.call("HGETALL", keys.waits(r.partition, r.id)))
    end
  end
  return r.waits
end

--- Closes a waitpoint. What an active one keeps still counts for the suspension; what a pending one
--- keeps is lost.
function waits.close(p)
  if p.state == "p" then
    p.kept = {}
  end
  p.state = "c"
end

--- Closes the waitpoints of a state that have expired.
function waits.close_expired(w, state, now)
  for _, p in ipairs(w.all) do
    if p.state == state and tonumber(p.expires) <= now then
      waits.close(p)
    end
  end
end

--- Forgets a waitpoint, which is closed, and what it has seen.
function waits.forget(w, at)
  local p = table.remove(w.all, at)
  w.known[p.id] = nil
  w.forgotten[#w.forgotten + 1] = p.id
end

--- Forgets everything.
function waits.forget_all(r)
  local w = waits.of(r)
  for at = #w.all, 1, -1 do
    waits.forget(w, at)
  end
  w.suspension, w.resumed, w.satisfied, w.made, w.accepted = nil, nil, nil, 0, 0
end

--- The keys of the waitpoints of the suspension, in the order of the request, joined by commas.
function waits.suspended_keys(w)
  local keyed, count = {}, 0
  for _, p in ipairs(w.all) do
    if p.epoch == w.suspension.epoch then
      keyed[tonumber(p.place) + 1] = p.key
      count = count + 1
    end
  end
  return table.concat(keyed, ",", 1, count)
end

--- Ends the suspension: its waitpoints are closed and keep nothing.
function waits.end_suspension(w)
  for _, p in ipairs(w.all) do
    if w.suspension and p.epoch == w.suspension.epoch then
      waits.close(p)
      p.kept = {}
    end
  end
  w.suspension = nil
end

--- Closes everything, as the end of the execution does.
function waits.finish(r)
  if r.f.wv or r.waits then
    local w = waits.of(r)
    w.suspension, w.resumed, w.satisfied = nil, nil, nil
    for _, p in ipairs(w.all) do
      waits.close(p)
      p.kept = {}
    end
  end
end

--- When the wait changes by time alone, as text: its timeout, or the first expiry of a waitpoint.
local function due(w)
  local at = w.suspension.timeout
  for _, p in ipairs(w.all) do
    if p.state == "a" then
      at = number.earlier(at, p.expires)
    end
  end
  return at
end

--- Brings the fields of the record along that follow from its waits.
function waits.settle(r)
  local w = r.waits
  record.set(r, "wv", (#w.all > 0 or w.resumed) and "1" or nil)
  record.set(r, "wt", w.suspension and due(w) or nil)
end

return waits
