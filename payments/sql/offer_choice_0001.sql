-- What decided once stays as it was: a policy that is no draft any more keeps its rules, its arms, its salt
-- and its holdout, whoever tries to change them. Only whether it is in force is written then.

-- Waits for whoever is putting it in force, so that nothing changes between the look and that.
CREATE FUNCTION payments_refuse_unless_draft_policy(p_policy uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
BEGIN
    SELECT state INTO v_state FROM payments_offerpolicy WHERE id = p_policy FOR SHARE;
    IF v_state <> 'draft' THEN
        RAISE 'offer policy % is not a draft any more', p_policy
            USING ERRCODE = 'check_violation';
    END IF;
END $$;

CREATE FUNCTION payments_keep_offer_policy() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_may text[] := CASE OLD.state
        WHEN 'in_force' THEN ARRAY['state', 'retired_at']
        ELSE ARRAY[]::text[] END;
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' OR NEW.state = 'draft'
            OR to_jsonb(NEW) - v_may <> to_jsonb(OLD) - v_may THEN
        RAISE 'offer policy % is not a draft any more', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER payments_keep_offer_policy BEFORE UPDATE OR DELETE ON payments_offerpolicy
FOR EACH ROW EXECUTE FUNCTION payments_keep_offer_policy();

CREATE FUNCTION payments_keep_offer_rule() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM payments_refuse_unless_draft_policy(OLD.policy_id);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    PERFORM payments_refuse_unless_draft_policy(NEW.policy_id);
    RETURN NEW;
END $$;

CREATE TRIGGER payments_keep_offer_rule BEFORE INSERT OR UPDATE OR DELETE ON payments_offerrule
FOR EACH ROW EXECUTE FUNCTION payments_keep_offer_rule();

CREATE FUNCTION payments_keep_offer_arm() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM payments_refuse_unless_draft_policy(
            (SELECT policy_id FROM payments_offerrule WHERE id = OLD.rule_id));
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    PERFORM payments_refuse_unless_draft_policy(
        (SELECT policy_id FROM payments_offerrule WHERE id = NEW.rule_id));
    RETURN NEW;
END $$;

CREATE TRIGGER payments_keep_offer_arm BEFORE INSERT OR UPDATE OR DELETE ON payments_offerarm
FOR EACH ROW EXECUTE FUNCTION payments_keep_offer_arm();

-- A decision is what was decided then. That another was there before moves nothing.
CREATE FUNCTION payments_keep_offer_decision() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF to_jsonb(NEW) <> to_jsonb(OLD) THEN
        RAISE 'offer decision % was made', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER payments_keep_offer_decision BEFORE UPDATE ON payments_offerdecision
FOR EACH ROW EXECUTE FUNCTION payments_keep_offer_decision();
