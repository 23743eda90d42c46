-- What an arm asks stays as it is from the moment its experiment was asked for: see
-- viewers/sql/experiments_0001.sql.
CREATE FUNCTION payments_keep_arm_terms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_experiment uuid;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT experiment_id INTO v_experiment FROM viewers_arm WHERE id = OLD.arm_id;
        PERFORM viewers_refuse_unless_draft(v_experiment);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    SELECT experiment_id INTO v_experiment FROM viewers_arm WHERE id = NEW.arm_id;
    PERFORM viewers_refuse_unless_draft(v_experiment);
    RETURN NEW;
END $$;

CREATE TRIGGER payments_keep_arm_terms BEFORE INSERT OR UPDATE OR DELETE ON payments_armterms
FOR EACH ROW EXECUTE FUNCTION payments_keep_arm_terms();
