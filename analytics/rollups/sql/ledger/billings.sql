-- What viewers paid and what went back to them, in micros of the reporting currency, by what was bought.
WITH billed AS (
    SELECT created_at, environment, 'coins' AS source, 1 AS purchases,
           round(gross_micros * exchange_rate) AS gross, round(tax_micros * exchange_rate) AS tax,
           round(gross_micros * exchange_rate) - round(tax_micros * exchange_rate) - net_micros AS fee,
           0 AS refund
    FROM payments_purchase
    WHERE created_at >= %(since)s AND created_at < %(until)s
    UNION ALL
    SELECT created_at, environment, 'passes', 1,
           round(gross_micros * exchange_rate), round(tax_micros * exchange_rate),
           round(gross_micros * exchange_rate) - round(tax_micros * exchange_rate) - net_micros, 0
    FROM payments_passpurchase
    WHERE created_at >= %(since)s AND created_at < %(until)s
    UNION ALL
    SELECT booking.created_at, purchase.environment, 'coins', 0, 0, 0, 0, booking.net_micros
    FROM payments_refundbooking AS booking
    JOIN payments_purchase AS purchase ON purchase.id = booking.purchase_id
    WHERE booking.created_at >= %(since)s AND booking.created_at < %(until)s
    UNION ALL
    SELECT booking.created_at, purchase.environment, 'passes', 0, 0, 0, 0, booking.net_micros
    FROM payments_passrefundbooking AS booking
    JOIN payments_passpurchase AS purchase ON purchase.id = booking.purchase_id
    WHERE booking.created_at >= %(since)s AND booking.created_at < %(until)s
    UNION ALL
    SELECT created_at, environment,
           CASE WHEN pass_purchase_id IS NULL THEN 'coins' ELSE 'passes' END, 0, 0, 0,
           difference_micros, 0
    FROM payments_feeadjustment
    WHERE created_at >= %(since)s AND created_at < %(until)s
)
SELECT date_bin('15 minutes', created_at, timestamptz '2000-01-01 00:00:00+00') AS slice,
       environment, source,
       sum(gross)::bigint AS gross_billings, sum(tax)::bigint AS billed_tax,
       sum(fee)::bigint AS store_fees, sum(refund)::bigint AS refunds,
       sum(purchases)::bigint AS purchases
FROM billed
GROUP BY slice, environment, source
