-- Every rule of the ledger, re-added from its rows. Each query lists violations: what, and where.

-- check: a transfer's entries sum to zero
SELECT transfer_id::text, sum(amount_coins)::text
FROM payments_entry GROUP BY transfer_id HAVING sum(amount_coins) <> 0;

-- check: a transfer has entries
SELECT transfer.id::text, transfer.code
FROM payments_transfer transfer
WHERE NOT EXISTS (SELECT FROM payments_entry entry WHERE entry.transfer_id = transfer.id);

-- check: a transfer moves the accounts of its code, in the direction of the chart
SELECT entry.id::text, transfer.code || ' ' || entry.account || ' ' || entry.amount_coins
FROM payments_entry entry
JOIN payments_transfer transfer ON transfer.id = entry.transfer_id
LEFT JOIN payments_chart line
    ON line.code = transfer.code AND line.account = entry.account
   AND line.direction = sign(entry.amount_coins)
WHERE line.code IS NULL;

-- check: balance after each entry is the sum of the account's entries up to it, numbered 1..n
SELECT id::text, account || ' #' || sequence
FROM (
    SELECT id, account, sequence, balance_after_coins,
           sum(amount_coins) OVER account_order AS expected_balance,
           row_number() OVER account_order AS expected_sequence
    FROM payments_entry WHERE wallet_id IS NOT NULL
    WINDOW account_order AS (PARTITION BY wallet_id, account ORDER BY sequence)
) entry
WHERE balance_after_coins <> expected_balance OR sequence <> expected_sequence;

-- check: a wallet holds what its entries add up to
SELECT wallet.id::text, posted.account
FROM payments_wallet wallet
CROSS JOIN LATERAL (VALUES
    ('paid', wallet.paid_coins, wallet.paid_sequence),
    ('bonus', wallet.bonus_coins, wallet.bonus_sequence),
    ('debt', wallet.debt_coins, wallet.debt_sequence)) AS posted(account, coins, sequence)
LEFT JOIN (
    SELECT wallet_id, account, sum(amount_coins) AS coins, count(*) AS entries
    FROM payments_entry WHERE wallet_id IS NOT NULL GROUP BY wallet_id, account
) summed ON summed.wallet_id = wallet.id AND summed.account = posted.account
WHERE coalesce(summed.coins, 0) <> posted.coins OR coalesce(summed.entries, 0) <> posted.sequence;

-- check: a wallet's lots hold exactly its coins
SELECT wallet.id::text, wallet.paid_coins || ' paid, ' || wallet.bonus_coins || ' bonus'
FROM payments_wallet wallet
LEFT JOIN (
    SELECT wallet_id, coalesce(sum(remaining_coins) FILTER (WHERE kind = 'paid'), 0) AS paid,
           coalesce(sum(remaining_coins) FILTER (WHERE kind = 'bonus'), 0) AS bonus
    FROM payments_lot GROUP BY wallet_id
) lots ON lots.wallet_id = wallet.id
WHERE wallet.paid_coins <> coalesce(lots.paid, 0) OR wallet.bonus_coins <> coalesce(lots.bonus, 0);

-- check: what a lot granted and what moved since is what is left, to the micro
SELECT lot.id::text, lot.origin
FROM payments_lot lot
LEFT JOIN (
    SELECT lot_id, sum(coins) AS coins, sum(value_micros) AS value,
           bool_and(coins < 0) AS only_left
    FROM payments_lotmovement GROUP BY lot_id
) moved ON moved.lot_id = lot.id
WHERE lot.remaining_coins <> lot.granted_coins + coalesce(moved.coins, 0)
   OR lot.remaining_value_micros <> lot.value_micros + coalesce(moved.value, 0)
   OR (lot.remaining_coins = 0 AND lot.remaining_value_micros <> 0)
   -- Where nothing came back, each coin has left with its share.
   OR (moved.only_left AND -moved.value
        <> div(lot.value_micros::numeric * -moved.coins, lot.granted_coins::numeric));

-- check: a transfer moves in lots what it moves in the viewer's accounts
SELECT coalesce(entries.transfer_id, lots.transfer_id)::text, coalesce(entries.account, lots.kind)
FROM (
    SELECT transfer_id, account, amount_coins AS coins FROM payments_entry
    WHERE account IN ('paid', 'bonus')
) entries
FULL JOIN (
    SELECT transfer_id, kind, sum(coins) AS coins
    FROM (
        SELECT movement.transfer_id, lot.kind, movement.coins
        FROM payments_lotmovement movement JOIN payments_lot lot ON lot.id = movement.lot_id
        UNION ALL
        SELECT transfer_id, kind, granted_coins FROM payments_lot
    ) moved
    GROUP BY transfer_id, kind
) lots ON lots.transfer_id = entries.transfer_id AND lots.kind = entries.account
WHERE entries.coins IS DISTINCT FROM lots.coins;

-- check: a lot never pays after its expiry
SELECT movement.id::text, lot.id::text
FROM payments_lot lot
JOIN payments_lotmovement movement ON movement.lot_id = lot.id
JOIN payments_transfer transfer ON transfer.id = movement.transfer_id
WHERE lot.expires_at IS NOT NULL AND transfer.code = 'unlock'
  AND movement.created_at >= lot.expires_at;

-- check: an unlock charges what its transfer and its lots say
SELECT unlock.id::text, unlock.price_coins::text
FROM payments_unlock unlock
LEFT JOIN (
    SELECT movement.transfer_id, -sum(movement.coins) AS coins,
           coalesce(-sum(movement.value_micros) FILTER (WHERE lot.origin <> 'reward'), 0) AS value,
           coalesce(-sum(movement.value_micros) FILTER (WHERE lot.origin = 'reward'), 0)
               AS attribution,
           coalesce(-sum(movement.coins) FILTER (WHERE lot.kind = 'paid'), 0) AS paid
    FROM payments_lotmovement movement JOIN payments_lot lot ON lot.id = movement.lot_id
    GROUP BY movement.transfer_id
) spent ON spent.transfer_id = unlock.transfer_id
LEFT JOIN payments_entry entry
    ON entry.transfer_id = unlock.transfer_id AND entry.account = 'unlocks'
WHERE unlock.price_coins IS DISTINCT FROM spent.coins
   OR unlock.paid_coins IS DISTINCT FROM spent.paid
   OR unlock.value_micros IS DISTINCT FROM spent.value
   OR unlock.attribution_micros IS DISTINCT FROM spent.attribution
   OR unlock.price_coins IS DISTINCT FROM entry.amount_coins;

-- check: a purchase's lots carry its coins and its net price
SELECT purchase.id::text, purchase.transaction_id
FROM payments_purchase purchase
LEFT JOIN (
    SELECT transfer_id, sum(granted_coins) AS coins, sum(value_micros) AS value,
           coalesce(sum(granted_coins) FILTER (WHERE kind = 'paid'), 0) AS paid
    FROM payments_lot GROUP BY transfer_id
) granted ON granted.transfer_id = purchase.transfer_id
WHERE granted.coins IS DISTINCT FROM purchase.paid_coins + purchase.bonus_coins
   OR granted.paid IS DISTINCT FROM purchase.paid_coins
   OR granted.value IS DISTINCT FROM purchase.net_micros;

-- check: only what was bought carries revenue, and only rewards carry what ads earned
SELECT id::text, origin
FROM payments_lot
WHERE value_micros <> 0 AND origin NOT IN ('purchase', 'pack_bonus', 'reward');

-- check: coins move in lots of their own transfer's viewer
SELECT movement.id::text, lot.id::text
FROM payments_lotmovement movement
JOIN payments_lot lot ON lot.id = movement.lot_id
JOIN payments_wallet wallet ON wallet.id = lot.wallet_id
JOIN payments_transfer transfer ON transfer.id = movement.transfer_id
WHERE transfer.viewer_id IS DISTINCT FROM wallet.viewer_id
   OR transfer.environment <> wallet.environment;

-- check: an unlock and a purchase are their transfer's viewer's, in its environment
SELECT fact.id::text, fact.what
FROM (
    SELECT id, 'unlock' AS what, viewer_id, environment, transfer_id FROM payments_unlock
    UNION ALL
    SELECT id, 'purchase', viewer_id, environment, transfer_id FROM payments_purchase
    UNION ALL
    SELECT id, 'grant', viewer_id, environment, transfer_id FROM payments_grant
    WHERE transfer_id IS NOT NULL
    UNION ALL
    SELECT id, 'promo', viewer_id, environment, transfer_id FROM payments_promoredemption
    UNION ALL
    SELECT id, 'period', viewer_id, environment, coins_transfer_id FROM payments_passpurchase
    WHERE coins_transfer_id IS NOT NULL
) fact
JOIN payments_transfer transfer ON transfer.id = fact.transfer_id
WHERE transfer.viewer_id IS DISTINCT FROM fact.viewer_id
   OR transfer.environment <> fact.environment OR transfer.code <> fact.what;

-- check: every transfer has its cause
SELECT transfer.id::text, transfer.code || ' ' || transfer.reference
FROM payments_transfer transfer
WHERE NOT CASE transfer.code
    WHEN 'unlock' THEN EXISTS (
        SELECT FROM payments_unlock WHERE transfer_id = transfer.id)
    WHEN 'purchase' THEN EXISTS (
        SELECT FROM payments_purchase WHERE transfer_id = transfer.id)
    WHEN 'grant' THEN EXISTS (SELECT FROM payments_grant WHERE transfer_id = transfer.id)
    WHEN 'grant_reversal' THEN EXISTS (
        SELECT FROM payments_grant WHERE revocation_id = transfer.id AND state = 'revoked')
    WHEN 'promo' THEN EXISTS (
        SELECT FROM payments_promoredemption WHERE transfer_id = transfer.id)
    WHEN 'period' THEN EXISTS (
        SELECT FROM payments_passpurchase WHERE coins_transfer_id = transfer.id
        UNION ALL
        SELECT FROM payments_passrefundbooking WHERE coins_transfer_id = transfer.id)
    WHEN 'period_reversal' THEN EXISTS (
        SELECT FROM payments_passrefundbooking WHERE coins_transfer_id = transfer.id)
    WHEN 'unlock_reversal' THEN EXISTS (
        SELECT FROM payments_unlockreversal WHERE transfer_id = transfer.id)
    WHEN 'refund' THEN EXISTS (
        SELECT FROM payments_refundbooking WHERE transfer_id = transfer.id AND undoes_id IS NULL)
    WHEN 'refund_reversal' THEN EXISTS (
        SELECT FROM payments_refundbooking
        WHERE transfer_id = transfer.id AND undoes_id IS NOT NULL)
    ELSE true END;

-- check: a reversal is the opposite of what it undoes, but for a debt that was repaid
SELECT reversal.id::text, reversal.code
FROM payments_transfer reversal
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_coins) FILTER (WHERE account = 'paid'), 0) AS paid,
           coalesce(sum(amount_coins) FILTER (WHERE account IN ('bonus', 'debt')), 0) AS given,
           coalesce(sum(amount_coins) FILTER (WHERE wallet_id IS NULL), 0) AS house
    FROM payments_entry WHERE transfer_id IN (reversal.id, reversal.reverses_id)
) AS together
WHERE reversal.reverses_id IS NOT NULL AND (paid, given, house) <> (0, 0, 0);

-- check: an entitlement has exactly the one cause that its source names
SELECT entitlement.id::text, entitlement.source
FROM payments_entitlement entitlement
WHERE NOT CASE entitlement.source
    WHEN 'coins' THEN EXISTS (
        SELECT FROM payments_unlock WHERE entitlement_id = entitlement.id)
    WHEN 'grant' THEN EXISTS (
        SELECT FROM payments_grant WHERE entitlement_id = entitlement.id)
    WHEN 'subscription' THEN EXISTS (
        SELECT FROM payments_cover
        WHERE id = entitlement.cover_id AND viewer_id = entitlement.viewer_id
          AND environment = entitlement.environment AND starts_at <= entitlement.starts_at
          AND ends_at = entitlement.ends_at)
    ELSE true END;

-- check: an unlock that was undone is closed, and its coins are back once
SELECT reversal.id::text, unlock.id::text
FROM payments_unlockreversal reversal
JOIN payments_unlock unlock ON unlock.id = reversal.unlock_id
JOIN payments_entitlement entitlement ON entitlement.id = unlock.entitlement_id
JOIN payments_transfer transfer ON transfer.id = reversal.transfer_id
WHERE entitlement.closed_at IS NULL OR transfer.reverses_id IS DISTINCT FROM unlock.transfer_id;

-- check: an unlock's corrections never exceed what it earned
SELECT unlock.id::text, unlock.value_micros::text
FROM payments_unlock unlock
JOIN (
    SELECT unlock_id, sum(coins) AS coins, sum(value_micros) AS value,
           sum(attribution_micros) AS attribution
    FROM payments_unlockcorrection GROUP BY unlock_id
) corrected ON corrected.unlock_id = unlock.id
WHERE unlock.price_coins + corrected.coins NOT BETWEEN 0 AND unlock.price_coins
   OR unlock.value_micros + corrected.value NOT BETWEEN 0 AND unlock.value_micros
   OR unlock.attribution_micros + corrected.attribution NOT BETWEEN 0 AND unlock.attribution_micros
   OR (unlock.price_coins + corrected.coins = 0
        AND unlock.value_micros + corrected.value <> 0);

-- check: refunds took at most what their purchase gave, and what stands is booked
SELECT purchase.id::text, purchase.transaction_id
FROM payments_purchase purchase
JOIN (
    SELECT purchase_id, sum(gross_micros) AS gross, sum(net_micros) AS net, sum(due_coins) AS due,
           sum(taken_coins + debt_coins) AS moved
    FROM payments_refundbooking GROUP BY purchase_id
) booked ON booked.purchase_id = purchase.id
WHERE booked.gross NOT BETWEEN 0 AND purchase.gross_micros
   OR booked.net NOT BETWEEN 0 AND purchase.net_micros
   OR booked.due NOT BETWEEN 0 AND purchase.paid_coins + purchase.bonus_coins
   OR booked.moved NOT BETWEEN 0 AND booked.due
UNION ALL
SELECT refund.id::text, refund.transaction_id
FROM payments_refund refund
LEFT JOIN payments_purchase purchase
    ON purchase.provider = refund.provider AND purchase.environment = refund.environment
   AND purchase.transaction_id = refund.transaction_id
WHERE (refund.booking_id IS NOT NULL)
   <> (purchase.id IS NOT NULL
       AND coalesce(refund.refunded_at > coalesce(refund.reversed_at, '-infinity'), false))
   OR refund.purchase_id IS DISTINCT FROM purchase.id;

-- check: a refund's booking says what its transfer moved
SELECT booking.id::text, booking.taken_coins || ' + ' || booking.debt_coins
FROM payments_refundbooking booking
LEFT JOIN payments_entry entry
    ON entry.transfer_id = booking.transfer_id AND entry.account = 'refunds'
LEFT JOIN (
    SELECT transfer_id, sum(value_micros) AS value FROM payments_lotmovement GROUP BY transfer_id
) moved ON moved.transfer_id = booking.transfer_id
LEFT JOIN (
    SELECT transfer_id, sum(value_micros) AS value FROM payments_unlockcorrection
    GROUP BY transfer_id
) corrected ON corrected.transfer_id = booking.transfer_id
WHERE booking.taken_coins + booking.debt_coins <> coalesce(entry.amount_coins, 0)
   OR booking.deferred_micros <> -coalesce(moved.value, 0)
   OR booking.recognised_micros <> -coalesce(corrected.value, 0);

-- check: a refund's booking divides its coins as its entries do
SELECT booking.id::text, booking.taken_coins || ' + ' || booking.debt_coins
FROM payments_refundbooking booking
LEFT JOIN (
    SELECT transfer_id,
           coalesce(-sum(amount_coins) FILTER (WHERE account = 'debt'), 0) AS debt,
           coalesce(-sum(amount_coins) FILTER (WHERE account IN ('paid', 'bonus')), 0) AS taken
    FROM payments_entry GROUP BY transfer_id
) posted ON posted.transfer_id = booking.transfer_id
WHERE booking.undoes_id IS NULL
  AND (booking.debt_coins <> coalesce(posted.debt, 0)
       OR booking.taken_coins <> coalesce(posted.taken, 0));

-- check: a refund takes from its own purchase's lots alone
SELECT moved.id::text, moved.lot_id::text
FROM payments_refundbooking booking
JOIN payments_purchase purchase ON purchase.id = booking.purchase_id
JOIN (
    SELECT id, transfer_id, lot_id FROM payments_lotmovement
    UNION ALL
    SELECT id, transfer_id, lot_id FROM payments_unlockcorrection
) moved ON moved.transfer_id = booking.transfer_id
JOIN payments_lot lot ON lot.id = moved.lot_id
WHERE lot.transfer_id <> purchase.transfer_id;

-- check: of a lot's part in an unlock, no more is taken back than it paid
SELECT corrected.unlock_id::text, corrected.lot_id::text
FROM (
    SELECT unlock_id, lot_id, sum(coins) AS coins,
           sum(value_micros + attribution_micros) AS value
    FROM payments_unlockcorrection GROUP BY unlock_id, lot_id
) corrected
JOIN payments_unlock unlock ON unlock.id = corrected.unlock_id
LEFT JOIN payments_lotmovement paid
    ON paid.transfer_id = unlock.transfer_id AND paid.lot_id = corrected.lot_id
WHERE paid.id IS NULL
   OR corrected.coins NOT BETWEEN paid.coins AND 0
   OR corrected.value NOT BETWEEN paid.value_micros AND 0
   OR (corrected.coins = paid.coins AND corrected.value <> paid.value_micros)
   OR (corrected.coins = 0 AND corrected.value <> 0);

-- check: a reversal names what it undoes, and that is of the right kind
SELECT transfer.id::text, transfer.code
FROM payments_transfer transfer
LEFT JOIN payments_transfer undone ON undone.id = transfer.reverses_id
WHERE (transfer.reverses_id IS NOT NULL OR transfer.code IN ('unlock_reversal', 'refund_reversal'))
  AND undone.code IS DISTINCT FROM CASE transfer.code
      WHEN 'unlock_reversal' THEN 'unlock' WHEN 'refund_reversal' THEN 'refund'
      WHEN 'period' THEN 'period_reversal' END;

-- check: an episode that coins opened is closed only where its unlock was undone, or its time was over
SELECT entitlement.id::text, entitlement.viewer_id::text
FROM payments_entitlement entitlement
WHERE entitlement.source = 'coins' AND entitlement.closed_at IS NOT NULL
  AND coalesce(entitlement.ends_at > entitlement.closed_at, true)
  AND NOT EXISTS (
      SELECT FROM payments_unlock unlock
      JOIN payments_unlockreversal reversal ON reversal.unlock_id = unlock.id
      WHERE unlock.entitlement_id = entitlement.id);

-- check: what was rented ends, and nothing else that coins opened
SELECT unlock.id::text, unlock.way
FROM payments_unlock unlock
JOIN payments_entitlement entitlement ON entitlement.id = unlock.entitlement_id
WHERE (unlock.way = 'rental') <> (entitlement.ends_at IS NOT NULL)
   OR entitlement.source <> 'coins';

-- check: a bundle is one viewer's, of one series, for each of its episodes once
SELECT unlock.bundle_id::text, min(unlock.id::text)
FROM payments_unlock unlock
JOIN payments_entitlement entitlement ON entitlement.id = unlock.entitlement_id
LEFT JOIN payments_unlockreversal reversal ON reversal.restored_as_id = unlock.id
WHERE unlock.bundle_id IS NOT NULL
GROUP BY unlock.bundle_id
HAVING count(DISTINCT (unlock.viewer_id, unlock.environment, unlock.price_version_id,
                       unlock.adjustments, entitlement.series_id)) > 1
    OR count(DISTINCT unlock.created_at) FILTER (WHERE reversal.id IS NULL) > 1
    OR count(DISTINCT unlock.episode_id) FILTER (WHERE reversal.id IS NULL)
        <> count(*) FILTER (WHERE reversal.id IS NULL);

-- check: what was unlocked without a tap was agreed to
SELECT unlock.id::text, consent.id::text
FROM payments_unlock unlock
JOIN payments_autounlockconsent consent ON consent.id = unlock.consent_id
JOIN payments_entitlement entitlement ON entitlement.id = unlock.entitlement_id
WHERE consent.viewer_id <> unlock.viewer_id OR consent.environment <> unlock.environment
   OR consent.series_id <> entitlement.series_id OR unlock.price_coins > consent.daily_cap_coins;

-- check: a wallet knows what was spent on its day
SELECT wallet.id::text, wallet.spent_coins::text
FROM payments_wallet wallet
LEFT JOIN (
    SELECT unlock.viewer_id, unlock.environment, unlock.day, sum(unlock.price_coins) AS coins
    FROM payments_unlock unlock
    WHERE NOT EXISTS (
        SELECT FROM payments_unlockreversal reversal WHERE reversal.unlock_id = unlock.id)
    GROUP BY unlock.viewer_id, unlock.environment, unlock.day
) spent ON spent.viewer_id = wallet.viewer_id AND spent.environment = wallet.environment
       AND spent.day = wallet.spent_on
WHERE wallet.spent_coins <> coalesce(spent.coins, 0)
UNION ALL
SELECT unlock.id::text, unlock.day::text
FROM payments_unlock unlock
JOIN payments_wallet wallet
    ON wallet.viewer_id = unlock.viewer_id AND wallet.environment = unlock.environment
WHERE coalesce(unlock.day > coalesce(wallet.spent_on, '-infinity'), false);

-- check: coins lapse only from lots past their expiry
SELECT movement.id::text, lot.id::text
FROM payments_transfer transfer
JOIN payments_lotmovement movement ON movement.transfer_id = transfer.id
JOIN payments_lot lot ON lot.id = movement.lot_id
WHERE transfer.code = 'expiry'
  AND (lot.expires_at IS NULL OR movement.created_at < lot.expires_at);

-- check: a full lot has its full value
SELECT id::text, origin
FROM payments_lot
WHERE remaining_coins = granted_coins AND remaining_value_micros <> value_micros;

-- check: a wallet knows the end of its covers
SELECT wallet.id::text, cover.id::text
FROM payments_cover cover
JOIN payments_wallet wallet
    ON wallet.viewer_id = cover.viewer_id AND wallet.environment = cover.environment
WHERE cover.closed_at IS NULL AND coalesce(wallet.covered_until < cover.ends_at, true);

-- check: net revenue is what was recognised and what is deferred
SELECT booked.environment, booked.net || ' <> ' || booked.recognised + booked.deferred
FROM (
    SELECT environment,
        (SELECT coalesce(sum(net_micros), 0) FROM payments_purchase purchase
         WHERE purchase.environment = known.environment)
        - (SELECT coalesce(sum(booking.net_micros), 0)
           FROM payments_refundbooking booking
           JOIN payments_purchase purchase ON purchase.id = booking.purchase_id
           WHERE purchase.environment = known.environment) AS net,
        (SELECT coalesce(sum(value_micros), 0) FROM payments_unlock
         WHERE payments_unlock.environment = known.environment)
        + (SELECT coalesce(sum(correction.value_micros), 0)
           FROM payments_unlockcorrection correction
           JOIN payments_unlock unlock ON unlock.id = correction.unlock_id
           WHERE unlock.environment = known.environment)
        + (SELECT coalesce(-sum(movement.value_micros), 0)
           FROM payments_lotmovement movement
           JOIN payments_transfer transfer ON transfer.id = movement.transfer_id
           JOIN payments_lot lot ON lot.id = movement.lot_id
           WHERE transfer.code = 'expiry' AND transfer.environment = known.environment
             AND lot.origin IN ('purchase', 'pack_bonus'))
        - (SELECT coalesce(sum(booking.difference_micros), 0)
           FROM payments_refundbooking booking
           JOIN payments_purchase purchase ON purchase.id = booking.purchase_id
           WHERE purchase.environment = known.environment) AS recognised,
        (SELECT coalesce(sum(remaining_value_micros), 0) FROM payments_lot
         WHERE payments_lot.environment = known.environment
           AND origin IN ('purchase', 'pack_bonus')) AS deferred
    FROM (VALUES ('production'), ('sandbox')) AS known(environment)
) booked
WHERE booked.net <> booked.recognised + booked.deferred;

-- check: what one person may not give alone, two have given
SELECT id::text, worth_coins::text
FROM payments_grant
WHERE state IN ('given', 'revoked') AND needs_second AND decided_by_id = asked_by_id;

-- check: an offer counts the places that are held and sold, and never more than its stock
SELECT offer.id::text, offer.code
FROM payments_offer offer
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE environment = 'production') AS production,
           count(*) FILTER (WHERE environment = 'sandbox') AS sandbox
    FROM payments_offerclaim WHERE offer_id = offer.id AND state <> 'released'
) claimed
WHERE offer.taken_count <> claimed.production OR offer.sandbox_taken_count <> claimed.sandbox
   OR offer.stock < greatest(claimed.production, claimed.sandbox);

-- check: a place of an offer is sold with its viewer's purchase of its pack, for its bonus
SELECT claim.id::text, purchase.id::text
FROM payments_offerclaim claim
JOIN payments_offer offer ON offer.id = claim.offer_id
JOIN payments_purchase purchase ON purchase.id = claim.purchase_id
WHERE purchase.viewer_id <> claim.viewer_id OR purchase.environment <> claim.environment
   OR purchase.pack_id <> offer.pack_id OR purchase.bonus_coins <> claim.bonus_coins;

-- check: a purchase grants an offer's bonus only with a place of it, else what its intent promised
SELECT purchase.id::text, purchase.transaction_id
FROM payments_purchase purchase
JOIN payments_purchaseintent intent ON intent.id = purchase.intent_id
WHERE purchase.bonus_coins <> intent.bonus_coins
  AND NOT EXISTS (SELECT FROM payments_offerclaim WHERE purchase_id = purchase.id);

-- check: a promo code counts its redemptions, and never more than it may have
SELECT promo.id::text, promo.code
FROM payments_promocode promo
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE environment = 'production') AS production,
           count(*) FILTER (WHERE environment = 'sandbox') AS sandbox
    FROM payments_promoredemption WHERE promo_code_id = promo.id
) redeemed
WHERE promo.redeemed_count <> redeemed.production
   OR promo.sandbox_redeemed_count <> redeemed.sandbox
   OR promo.maximum_redemptions < greatest(redeemed.production, redeemed.sandbox);

-- check: a promo code's redemption gave its coins
SELECT redemption.id::text, redemption.coins::text
FROM payments_promoredemption redemption
LEFT JOIN payments_entry entry
    ON entry.transfer_id = redemption.transfer_id AND entry.account = 'promos'
WHERE redemption.coins IS DISTINCT FROM -entry.amount_coins;

-- check: production and sandbox never meet
SELECT entry.id::text, entry.environment
FROM payments_entry entry
JOIN payments_transfer transfer ON transfer.id = entry.transfer_id
LEFT JOIN payments_wallet wallet ON wallet.id = entry.wallet_id
WHERE entry.environment <> transfer.environment
   OR entry.environment <> coalesce(wallet.environment, entry.environment)
UNION ALL
SELECT lot.id::text, lot.environment
FROM payments_lot lot JOIN payments_wallet wallet ON wallet.id = lot.wallet_id
WHERE lot.environment <> wallet.environment
UNION ALL
SELECT reversal.id::text, reversal.environment
FROM payments_transfer reversal JOIN payments_transfer undone ON undone.id = reversal.reverses_id
WHERE reversal.environment <> undone.environment
   OR reversal.viewer_id IS DISTINCT FROM undone.viewer_id;
