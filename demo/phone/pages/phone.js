"use strict";

/* What an app does to sell: announce, have the store's SDK buy, hand in until answered, finish.
   What is on the phone is kept under "phone", what the store's account has bought under "account". */

const at = (id) => document.getElementById(id);
const kept = (name, otherwise) => JSON.parse(localStorage.getItem(name)) ?? otherwise;
const keep = (name, value) => localStorage.setItem(name, JSON.stringify(value));
const STORES = { apple: "App Store", google: "Google Play", stripe: "Stripe", fake: "Fake store" };
const WAIT_MS = 1500;

class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `refused with ${status}`);
    this.status = status;
    this.code = problem.code || "";
  }
}

function say(text, isWrong = false) {
  at("note").textContent = text;
  at("note").className = isWrong ? "wrong" : "";
}

function note(kind, method, path, status, answer) {
  const row = document.createElement("li");
  const line = document.createElement("span");
  line.className = status >= 400 ? "wrong" : kind;
  line.textContent = `${method} ${path} → ${status}`;
  const more = document.createElement("small");
  more.textContent = JSON.stringify(answer ?? "").slice(0, 220);
  row.append(line, more);
  at("log").prepend(row);
}

async function send(kind, method, path, body, headers = {}) {
  const response = await fetch(path, {
    method,
    headers: { ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
    body: body ? JSON.stringify(body) : undefined,
  });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : null;
  note(kind, method, path, response.status, answer);
  if (!response.ok) throw new Refused(response.status, answer ?? {});
  return { answer, status: response.status };
}

const sdk = (store, verb, body) => send("store", "POST", `/sdk/${store}/${verb}`, body);

async function ask(method, path, body) {
  const bearer = () => ({ Authorization: `Bearer ${kept("phone").access_token}` });
  if (!kept("phone")) await begin();
  try {
    return await send("us", method, path, body, bearer());
  } catch (refused) {
    if (refused.code !== "token_expired") throw refused;
  }
  const refresh_token = kept("phone").refresh_token;
  keep("phone", (await send("us", "POST", "/v1/viewers/tokens", { refresh_token })).answer);
  return send("us", method, path, body, bearer());
}

async function begin() {
  const body = { install_id: crypto.randomUUID(), platform: "web", locale: "en" };
  keep("phone", (await send("us", "POST", "/v1/viewers", body)).answer);
}

/* --- buying ------------------------------------------------------------------------------------ */

async function buy(announced) {
  const store = kept("store", "apple");
  const intent = (await ask("POST", "/v1/purchases/intents", { ...announced, provider: store })).answer;
  if (store === "stripe") {
    const here = `${location.origin}/?paid={CHECKOUT_SESSION_ID}`;
    const page = await ask("POST", `/v1/purchases/intents/${intent.intent_id}/checkout`,
      { success_url: here, cancel_url: `${location.origin}/?paid=` });
    location.href = page.answer.url;
    return;
  }
  const bought = store === "fake" ? await byFakeStore(intent) : (await sdk(store, "buy", intent)).answer;
  remember(store, bought);
  await handIn(store, bought.handed_in);
}

async function byFakeStore(intent) {
  const body = { product_id: intent.store_product_id, account_token: intent.account_token,
    intent_id: intent.intent_id };
  const sold = (await send("store", "POST", "/fake-store/transactions", body)).answer;
  return { handed_in: sold.transaction, name: "", is_subscription: false };
}

async function comeBackFromStripe() {
  const session_id = new URLSearchParams(location.search).get("paid");
  if (session_id === null) return;
  history.replaceState(null, "", "/");
  if (!session_id) return say("Nothing was paid.");
  await handIn("stripe", session_id);
  remember("stripe", (await sdk("stripe", "paid", { session_id })).answer);
}

async function handIn(store, transaction) {
  const { answer, status } = await ask("POST", `/v1/purchases/${store}`, { transaction });
  if (status !== 202) return say(outcome(answer));
  say(`It is kept and booked by itself: ${answer.reason}.`);
  for (;;) {
    await new Promise((go) => setTimeout(go, WAIT_MS));
    const waited = (await ask("GET", `/v1/purchases/${answer.id}`)).answer;
    if (waited.state === "booked") return say(waited.purchase ? outcome(waited.purchase) : "Booked.");
    if (waited.state === "refused") return say(`Refused: ${waited.reason}.`, true);
  }
}

function outcome(purchase) {
  if (purchase.subscription) return `Subscribed: ${purchase.subscription.pass_title}.`;
  if (purchase.bought_pass) return `${purchase.bought_pass.title}, until ${day(purchase.bought_pass.ends_at)}.`;
  return `${purchase.coins} coins${purchase.credited_now ? "" : ", which were credited before"}.`;
}

function remember(store, bought) {
  if (bought.name) keep("account", [...kept("account", []), { store, ...bought }]);
}

/* --- subscriptions ----------------------------------------------------------------------------- */

async function manage(verb, subscription, bought) {
  await sdk(bought.store, verb, { handed_in: bought.handed_in, name: bought.name, is_subscription: true });
  say(`${STORES[bought.store]} was told. Its notification is on its way.`);
  await new Promise((go) => setTimeout(go, WAIT_MS));
}

async function openPortal(subscription) {
  const path = `/v1/me/subscriptions/${subscription.subscription_id}/portal`;
  location.href = (await ask("POST", path, { return_url: `${location.origin}/` })).answer.url;
}

async function restore() {
  const account = kept("account", []);
  const transfer = at("transfer").checked;
  const told = [];
  for (const store of Object.keys(STORES)) {
    const mine = account.filter((one) => one.store === store).slice(-20);
    const transactions = [];
    for (const { handed_in, name, is_subscription } of mine) {
      const bought = { handed_in, name, is_subscription };
      transactions.push((await sdk(store, "on_device", bought)).answer.handed_in);
    }
    if (!transactions.length) continue;
    const body = { provider: store, transactions, transfer };
    const { restored } = (await ask("POST", "/v1/purchases/restore", body)).answer;
    told.push(...restored.map((one) => `${STORES[store]}: ${one.outcome}${one.can_transfer ? ", can be transferred" : ""}`));
  }
  say(told.length ? told.join(" · ") : "There is nothing to restore.");
}

async function anotherPhone() {
  localStorage.removeItem("phone");
  await begin();
  say("A new guest. The store's account is the same: restore what it has.");
}

/* --- the page ---------------------------------------------------------------------------------- */

const day = (moment) => (moment ? moment.slice(0, 16).replace("T", " ") : "never");
const money = (price) => `${(price.amount_micros / 1e6).toFixed(2)} ${price.currency}`;

function button(label, act, name = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.className = name;
  made.addEventListener("click", () => run(act));
  return made;
}

function row(title, more, ...buttons) {
  const made = document.createElement("li");
  const words = document.createElement("div");
  const small = document.createElement("small");
  words.textContent = title;
  small.textContent = more;
  words.append(small);
  made.append(words, ...buttons);
  return made;
}

function shownSubscription(one) {
  const state = one.is_open ? `${one.state}, open until ${day(one.access_until)}` : `${one.state}, closed`;
  const more = `${STORES[one.provider]} · ${state} · ${one.renews_as ? "renews" : "does not renew"}`;
  const buttons = [];
  if (one.provider === "stripe") buttons.push(button("Manage", () => openPortal(one)));
  // The service keeps the store's names to itself: the phone knows its own, the latest first.
  const bought = kept("account", []).filter((each) => each.store === one.provider && each.is_subscription).at(-1);
  if (bought) {
    for (const [verb, label] of [["cancel", "Cancel"], ["decline", "Card declined"], ["recover", "Pay after all"], ["refund", "Refund"]]) {
      buttons.push(button(label, () => manage(verb, one, bought)));
    }
  }
  return row(one.pass_title, more, ...buttons);
}

async function show() {
  const store = kept("store", "apple");
  for (const each of document.querySelectorAll("[data-store]")) {
    each.setAttribute("aria-pressed", String(each.dataset.store === store));
  }
  const [wallet, offers, passes, subscribed] = [
    (await ask("GET", "/v1/me/wallet")).answer,
    (await ask("GET", "/v1/offers")).answer.offers,
    (await ask("GET", "/v1/passes")).answer.passes,
    (await ask("GET", "/v1/me/subscriptions")).answer.subscriptions,
  ];
  at("balance").textContent = wallet.balance.coins;
  at("who").textContent = `viewer …${kept("phone").viewer_id.slice(-6)}`;
  at("packs").replaceChildren(...offers.map((one) =>
    row(one.title, money(one.price), button("Buy", () => buy({ pack_id: one.pack_id }), "buy"))));
  at("passes").replaceChildren(...passes
    .filter((one) => store !== "fake" || !one.is_renewing)
    .map((one) => row(one.title, money(one.price) + (one.period_coins ? `, ${one.period_coins} coins each time` : ""),
      button(one.is_renewing ? "Subscribe" : "Buy", () => buy({ pass_id: one.pass_id }), "buy"))));
  at("subscriptions").replaceChildren(...(subscribed.length
    ? subscribed.map(shownSubscription)
    : [row("None", "What you subscribe to stands here.")]));
}

async function run(act) {
  const buttons = document.querySelectorAll("button");
  buttons.forEach((one) => { one.disabled = true; });
  try {
    await act();
    await show();
  } catch (error) {
    say(error.message, true);
  } finally {
    document.querySelectorAll("button").forEach((one) => { one.disabled = false; });
  }
}

for (const each of document.querySelectorAll("[data-store]")) {
  each.addEventListener("click", () => run(async () => { keep("store", each.dataset.store); say(""); }));
}
at("restore").addEventListener("click", () => run(restore));
at("another").addEventListener("click", () => run(anotherPhone));
run(comeBackFromStripe);
