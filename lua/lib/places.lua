--- Takes an execution in hand, and puts it back: record, indexes and wake-ups together. What its end
--- means for the members of its flow is left to `execution`, by which everybody but these goes.
local children = require("children")
local events = require("events")
local flow = require("flow")
local kept = require("kept")
local keys = require("keys")
local leases = require("leases")
local placement = require("placement")
local queue = require("queue")
local record = require("record")
local spending = require("spending")
local store = require("store")
local timers = require("timers")
local told = require("told")
local waiters = require("waiters")
local waits = require("waits")
local waits_store = require("waits_store")

local places = {}

--- Where it stands, and how it ended if it has.
local function note_places(r)
  local f = r.f
  r.queue, r.since, r.due = placement.queue(f), f.ra, placement.due(r)
  r.over, r.writing = f.ea and f.st, f.ao
  r.leased, r.granted = f.li ~= nil, f.gi ~= nil
end

--- The execution with the places it stands in: its `queue`, `since` when, and when it is `due`. Nil
--- when there is none, and when it is a node that is staged.
function places.open(partition, id)
  local r = record.load(partition, id)
  if not r or (r.f.nd and flow.hides(r)) then
    return nil
  end
  note_places(r)
  r.spent = r.f.bu and spending.note(r)
  return r
end

--- Writes what was changed and brings the indexes along. Child flows that are to end with the execution are
--- its `orphans` afterwards.
function places.commit(r, now)
  local was, since, due, over, writing = r.queue, r.since, r.due, r.over, r.writing
  local leased, granted = r.leased, r.granted
  if r.waits then
    waits.settle(r)
  end
  note_places(r)
  if r.f.ea and not over then
    events.ended(r)
    if r.f.aw then
      told.ended(r)
    end
  end
  if r.f.tw then
    told.frames_over(r, writing, over)
  end
  store.save(r)
  if r.waits then
    waits_store.save(r)
  end
  if r.kept then
    kept.save(r)
  end
  if r.forsakes then
    r.forsakes, r.orphans = nil, children.forsake(r)
  end
  local moved = was ~= r.queue or since ~= r.since
  if moved then
    queue.move(r, was, r.queue and placement.score(r))
  end
  if r.due and due ~= r.due then
    timers.set(r, r.due, now)
  elseif due and not r.due then
    timers.remove(r)
  end
  if moved and r.queue then
    waiters.wake(r, r.queue)
  end
  if r.spent then
    spending.follow(r, now)
  end
  if leased ~= r.leased or granted ~= r.granted then
    leases.follow(r, leased, granted, now)
  end
end

--- Stores a new execution that has no place yet: nobody finds it by itself.
function places.stage(r)
  redis.call("ZADD", keys.all(r.partition), 0, r.id)
  store.insert(r)
end

--- Stores a new execution.
function places.create(r, now)
  note_places(r)
  r.spent = r.f.bu and spending.note(r)
  places.stage(r)
  if r.due then
    timers.set(r, r.due, now)
  end
  if r.queue then
    queue.insert(r, r.queue, placement.score(r))
    waiters.wake(r, r.queue)
  end
end

return places
