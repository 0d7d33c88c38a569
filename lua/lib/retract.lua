--- Takes the end of a parent back at one child.
local backlog = require("backlog")
local joins = require("joins")
local links = require("links")
local member = require("member")
local members = require("members")
local number = require("number")
local places = require("places")
local reasons = require("reasons")
local run = require("run")
local work = require("work")

local retract = {}

--- Makes a node wait for its edges again. What failures it took are left to themselves until it runs.
function retract.hold_back(w, r)
  local d = joins.of(r)
  if d.decision == "f" and d.failed > 0 then
    backlog.push(w.decided, backlog.step("u", member.node(r).index, 0, links.count(r, "p")))
  end
  d.decision = "o"
  joins.keep(r)
  r.f.st = reasons.state(r)
end

--- A node that was skipped may run after all, and one that has not started waits again.
function retract.at(w, link, state)
  local r = members.get(w, link.index)
  joins.count(r, link.condition, state, -1)
  joins.keep(r)
  local decision, undecided = joins.of(r).decision, joins.decided(r) == "o"
  local unskipped = undecided and decision == "s"
  if unskipped then
    r.f.ra = number.text(run.open_again(r, w.now))
    retract.hold_back(w, r)
  elseif undecided and decision == "f" and not r.f.ai and not r.f.ea then
    retract.hold_back(w, r)
  end
  places.commit(r, w.now)
  if unskipped then
    work.reopened(w, r, "skipped")
  end
end

return retract
