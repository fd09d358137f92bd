"""The one spelling of a label, a split or a rating that has several."""


def spelling(value: object) -> str:
    """Normalises the spelling of a label, split or rating: `1.0`, `"1.00"`, `1` and `" 1"` all become `1`."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    spelled = "" if value is None else str(value).strip().lower()
    try:
        number = float(spelled) if spelled[:1] in "+-.0123456789" else None
    except ValueError:
        return spelled
    # A decimal column, a float column with missing values and a spreadsheet write the same number in several ways.
    return str(int(number)) if number is not None and number.is_integer() and "_" not in spelled else spelled
