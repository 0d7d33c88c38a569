--- What a budget has to tell its shares: their names are in its field `nw` until they ask.
local budget = require("budget")
local keys = require("keys")
local record = require("record")
local shares = require("shares")

local share_news = {}

--- Most shares that are to give back what they do not use for one report.
local RECALLED_MAX = 32

--- Whether there is something to tell a share.
function share_news.has(b, name)
  return b.f.nw and string.find(" " .. b.f.nw .. " ", " " .. name .. " ", 1, true) ~= nil
end

--- Notes that a share has to be told something. It stays until it asks.
function share_news.tell(b, name)
  if not share_news.has(b, name) then
    record.set(b, "nw", (b.f.nw and b.f.nw .. " " or "") .. name)
  end
end

--- Has all told. Answers whether there are any.
function share_news.tell_all(b)
  shares.each(b, function(one)
    share_news.tell(b, one.name)
  end)
  return b.f.nw ~= nil
end

--- Has those told that have set some aside in an earlier generation of the budget.
function share_news.tell_those_aside(b)
  if not b.f.sa then
    return
  end
  record.set(b, "sa", nil)
  shares.each(b, function(one)
    if one.told ~= "" then
      record.set(b, "sa", "1")
      if one.told + 0 < budget.generation(b) then
        share_news.tell(b, one.name)
      end
    end
  end)
end

--- Has those told that hold some of a budget, when one waits in its line that is the first.
function share_news.line_begins(b, now)
  if not b.f.sh or redis.call("ZCARD", keys.budget_line(b.partition, b.budget)) > 1 then
    return
  end
  shares.each(b, function(one)
    if one.held ~= "" and one.contended ~= "1" then
      share_news.tell(b, one.name)
      record.set_number(b, "la", now)
    end
  end)
end

--- Has those shares, but for one, give back what nobody uses that may hold some. Answers their names, joined by spaces.
function share_news.recall(b, name)
  local names = {}
  shares.each(b, function(other)
    if other.name ~= name and other.held ~= "" and #names < RECALLED_MAX then
      other.contended = shares.RECALLED
      shares.save(b, other)
      names[#names + 1] = other.name
    end
  end)
  return table.concat(names, " ")
end

--- Notes that it has asked.
function share_news.heard(b, name)
  if share_news.has(b, name) then
    local names = {}
    for other in string.gmatch(b.f.nw, "%d+") do
      if other ~= name then
        names[#names + 1] = other
      end
    end
    record.set(b, "nw", names[1] and table.concat(names, " "))
  end
end

return share_news
