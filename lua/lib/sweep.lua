--- Goes over many members of a flow: to cancel them, and to start those that were staged.
local joins = require("joins")
local members = require("members")
local number = require("number")
local places = require("places")
local promote = require("promote")
local flow = require("flow")
local record = require("record")

local sweep = {}

--- Cancels the flow, or takes its cancellation further. Its members follow.
function sweep.begin(w, cause, policy, reason)
  local before, _, at, first = flow.cancel(w.fl)
  if before then
    record.set(w.fl, "ca", before .. " " .. policy .. " " .. at .. " " .. first)
  else
    record.set(w.fl, "ca", cause .. " " .. policy .. " " .. number.text(w.now) .. " " .. reason)
  end
  if policy ~= "o" then
    record.set(w.fl, "sw", "0")
  end
end

--- Cancels some more members: with the policy `p` only those that cannot go on with an attempt.
function sweep.go_on(w)
  local _, policy, at, reason = flow.cancel(w.fl)
  local from = tonumber(w.fl.f.sw)
  local to = math.min(w.fl.nodes, from + w.looked.visits)
  w.looked.visits = w.looked.visits - math.max(to - from, 1)
  for index = from, to - 1 do
    local r = members.get(w, index)
    if policy == "a" or not r.f.ao then
      promote.cancel(w, r, tonumber(at), reason)
    end
  end
  record.set(w.fl, "sw", to < w.fl.nodes and number.text(to) or nil)
end

--- Starts a staged node: one without parents runs, and any other gets its timer.
function sweep.start(w, index)
  w.looked.visits = w.looked.visits - 1
  local r = members.get(w, index)
  local d = joins.of(r)
  if r.f.ea or not d.staged then
    return
  end
  d.staged, r.due = nil, nil
  if d.total == 0 then
    promote.fire(w, r)
  else
    joins.keep(r)
    places.commit(r, w.now)
  end
end

return sweep
