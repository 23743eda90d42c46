-- Entries of the ledger with their transfers, in the order of their ids.
SELECT entry.id AS entry_id, transfer.id AS transfer_id, transfer.viewer_id, entry.environment,
       transfer.code, transfer.reference, transfer.reverses_id AS reverses_transfer_id,
       transfer.event_at, entry.created_at AS posted_at, entry.account, entry.amount_coins,
       entry.balance_after_coins, entry.sequence
FROM payments_entry AS entry
JOIN payments_transfer AS transfer ON transfer.id = entry.transfer_id
