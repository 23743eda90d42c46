-- Every entry posted from one moment to before another, with its transfer. A refund's money stands once,
-- beside the house's entry: negative where a refund ceased to stand.
SELECT entry.id AS entry_id, transfer.id AS transfer_id, transfer.viewer_id, entry.environment,
       transfer.code, transfer.reference, transfer.reverses_id AS reverses_transfer_id,
       transfer.event_at, entry.created_at AS posted_at, entry.account, entry.amount_coins,
       entry.balance_after_coins, entry.sequence,
       refund.provider AS refund_provider, refund.transaction_id AS refund_transaction_id,
       refund.refund_id AS refund_name, refund.origin AS refund_origin,
       booking.gross_micros AS refund_gross_micros, booking.tax_micros AS refund_tax_micros,
       booking.fee_micros AS refund_fee_micros, booking.net_micros AS refund_net_micros,
       booking.deferred_micros AS refund_deferred_micros,
       booking.recognised_micros AS refund_recognised_micros,
       booking.difference_micros AS refund_difference_micros
FROM payments_transfer transfer
JOIN payments_entry entry ON entry.transfer_id = transfer.id
LEFT JOIN payments_refundbooking booking
    ON booking.transfer_id = transfer.id AND entry.account = 'refunds'
LEFT JOIN payments_refund refund ON refund.id = booking.refund_id
WHERE transfer.created_at >= %(start)s AND transfer.created_at < %(end)s
ORDER BY entry.id
