-- What viewers bought, coins and passes, as it was booked; what went back of it is in the ledger's entries and
-- in finance's exports. Gross and tax are in the currency of the payment, net in the reporting currency.
SELECT id AS purchase_id, 'coins' AS what, viewer_id, environment, provider, transaction_id, currency,
       gross_micros::bigint AS gross_micros, tax_micros::bigint AS tax_micros,
       exchange_rate::float8 AS exchange_rate, net_micros::bigint AS net_micros,
       (paid_coins + bonus_coins)::bigint AS coins, NULL::timestamptz AS starts_at,
       NULL::timestamptz AS ends_at, purchased_at, created_at AS booked_at
FROM payments_purchase
UNION ALL
SELECT id, 'pass', viewer_id, environment, provider, transaction_id, currency, gross_micros::bigint,
       tax_micros::bigint, exchange_rate::float8, net_micros::bigint, NULL::bigint, starts_at, ends_at,
       purchased_at, created_at
FROM payments_passpurchase
