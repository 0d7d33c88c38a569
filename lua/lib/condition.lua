--- Whether the condition of a suspension holds, and whether it still can. Every condition is a list of
--- groups, and each group counts by itself: waitpoints (`w`), signals (`i`) or sources (`s`).
local waitpoints = require("waitpoints")

local condition = {}

local function members(w, group)
  local wanted, found = {}, {}
  for _, place in ipairs(group.places) do
    wanted[place] = true
  end
  for _, p in ipairs(w.all) do
    if p.epoch == w.suspension.epoch and wanted[p.place] then
      found[#found + 1] = p
    end
  end
  return found
end

local function by_order(one, other)
  return one.order < other.order
end

local function counted(distinct, s)
  if distinct == "w" then
    return s.waitpoint
  elseif distinct == "i" then
    return s.id
  end
  return s.source == "t" and "t" .. s.waitpoint or s.source
end

--- All kept signals of the suspension in the order of their acceptance, each with its waitpoint.
local function kept_in_order(w)
  local kept = {}
  for _, p in ipairs(w.all) do
    if p.epoch == w.suspension.epoch then
      for _, s in ipairs(p.kept) do
        kept[#kept + 1] = { order = s.order, signal = s, place = p.place }
      end
    end
  end
  table.sort(kept, by_order)
  return kept
end

--- Of signals in the order of acceptance, the first of each thing that a group counts, at most `n`.
local function first_of_each(group, kept)
  local wanted, seen, first = {}, {}, {}
  for _, place in ipairs(group.places) do
    wanted[place] = true
  end
  for _, k in ipairs(kept) do
    if #first == group.n then
      break
    end
    local thing = wanted[k.place] and counted(group.distinct, k.signal)
    if thing and not seen[thing] then
      seen[thing] = true
      first[#first + 1] = k.signal
    end
  end
  return first
end

--- The signals that satisfy the suspension, in the order of their acceptance, each once; nil while a
--- group does not hold.
function condition.satisfying(w)
  local taken, known, kept = {}, {}, kept_in_order(w)
  for _, group in ipairs(w.suspension.groups) do
    local first = first_of_each(group, kept)
    if #first < group.n then
      return nil
    end
    for _, s in ipairs(first) do
      if not known[s.order] then
        known[s.order] = true
        taken[#taken + 1] = s
      end
    end
  end
  table.sort(taken, by_order)
  return taken
end

local function group_is_possible(w, group, now)
  local hopeful, open = 0, false
  for _, p in ipairs(members(w, group)) do
    local takes = waitpoints.is_open(p, now)
    open = open or takes
    if takes or #p.kept > 0 then
      hopeful = hopeful + 1
    end
  end
  if group.distinct == "w" then
    return hopeful >= group.n
  end
  return open or #first_of_each(group, kept_in_order(w)) >= group.n
end

--- Whether signals to come could satisfy what is not satisfied yet.
function condition.is_possible(w, now)
  for _, group in ipairs(w.suspension.groups) do
    if not group_is_possible(w, group, now) then
      return false
    end
  end
  return true
end

return condition
